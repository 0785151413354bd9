//! The sniffer: finds out what a stream is, then lets its parser look at what passes.

use bytes::Bytes;
use millrace_bus::{Container, Format, Header, Marks};

use crate::clock::MediaTime;
use crate::container::Parser;
use crate::detect::{Guess, Probe};
use crate::found::Found;

/// Bytes after which a container that has not shown itself is given up.
const LOOK: u64 = 64 * 1024;
/// Bytes after which a container that is known, but not its tracks, is taken as it is.
const LOOK_FOR_TRACKS: u64 = 4 * 1024 * 1024;

/// Looks at the bytes of one generation as they pass, in pieces of any size.
///
/// Marks are the same however the bytes were split, but for the random access points of audio without video, of
/// which each push reports the last.
#[derive(Debug)]
pub struct Sniffer {
    state: State,
    found: Found,
    pushed: u64,
}

#[derive(Debug)]
enum State {
    Looking(Probe),
    Known(Parser),
    GivenUp,
}

impl Sniffer {
    /// Looks for `expected` alone, or for any container it knows if that is `None`.
    pub fn new(expected: Option<Container>) -> Self {
        let state = match expected {
            Some(container) => State::Known(Parser::new(container)),
            None => State::Looking(Probe::default()),
        };
        Self { state, found: Found::default(), pushed: 0 }
    }

    /// Looks at the next bytes. Offsets in the marks count from the first byte ever pushed, and may lie before this
    /// chunk: while the container is looked for nothing is marked, and then all at once.
    pub fn push(&mut self, chunk: &[u8]) -> Marks {
        let mut rest = chunk;
        while !rest.is_empty() {
            // What is given up when must not depend on how the bytes were split.
            let limit = [LOOK, LOOK_FOR_TRACKS].into_iter().find(|limit| self.pushed < *limit);
            let room = limit.map_or(u64::MAX, |limit| limit - self.pushed);
            let (piece, left) = rest.split_at(usize::try_from(room).unwrap_or(usize::MAX).min(rest.len()));
            rest = left;
            self.pushed = self.pushed.saturating_add(piece.len() as u64);
            self.look(piece);
            self.judge();
        }
        self.found.take_marks()
    }

    fn look(&mut self, piece: &[u8]) {
        let lost = match &mut self.state {
            State::Known(parser) => !parser.push(piece, &mut self.found),
            State::GivenUp => return,
            State::Looking(probe) => match probe.push(piece) {
                Guess::More => return,
                Guess::Is(container) => {
                    let mut parser = Parser::new(container);
                    let so_far = probe.take();
                    let known = parser.push(&so_far, &mut self.found) && parser.push(piece, &mut self.found);
                    self.state = State::Known(parser);
                    !known
                }
            },
        };
        if lost {
            self.state = State::GivenUp;
        }
    }

    fn judge(&mut self) {
        if self.found.format.is_some() {
            return;
        }
        let known = self.found.container;
        if self.pushed >= LOOK_FOR_TRACKS {
            match known {
                Some(Container::MpegTs) => self.found.set_format(Container::MpegTs, crate::ts::CONTENT_TYPE, &[]),
                _ => self.state = State::GivenUp,
            }
        } else if self.pushed >= LOOK && known.is_none() {
            self.state = State::GivenUp;
        }
    }

    /// Container, content type and tracks, once all three are known.
    ///
    /// It changes afterwards only if the tracks do. A transport stream that shows no PMT for 4 MiB has no tracks.
    pub fn format(&self) -> Option<&Format> {
        self.found.format.as_ref()
    }

    /// Whether [`format`](Self::format) is not known yet but may still be.
    ///
    /// It is given up after 64 KiB in which no container shows itself, or when the container turns out to be none that can be
    /// streamed (MP4 without fragments).
    pub fn undecided(&self) -> bool {
        self.found.format.is_none() && !matches!(self.state, State::GivenUp)
    }

    /// What who joins needs first; `None` before it is known or if the container has no such thing.
    pub fn header(&self) -> Option<&Header> {
        self.found.header.as_ref()
    }

    /// Grows when [`header`](Self::header) changes; 0 before there is one. PAT and PMT that are repeated with the
    /// same content are no change.
    pub fn header_version(&self) -> u32 {
        self.found.version
    }

    /// The writer is gone: what has to be written so that another run may follow on the same connection.
    ///
    /// Stuffing to the end of the packet for MPEG-TS, the end of the line for MPJPEG, else nothing. The sniffer
    /// counts these bytes as pushed.
    pub fn abandon(&mut self) -> Bytes {
        let State::Known(parser) = &mut self.state else { return Bytes::new() };
        let bytes = parser.completion();
        parser.push(&bytes, &mut self.found);
        self.pushed = self.pushed.saturating_add(bytes.len() as u64);
        bytes
    }

    /// The newest timestamp seen, for pacing a file.
    ///
    /// MPEG-TS: PCR. FLV: tag time, of video if there is any. Matroska: cluster time. fMP4: `tfdt`, of the first video track if
    /// there is one. Ogg: granule position. ADTS and MP3: frames counted. MPJPEG says none. About wraps and jumps
    /// see [`MediaTime`].
    pub fn media_time(&self) -> Option<MediaTime> {
        self.found.clock.time()
    }
}

/// Every parser over the same bytes, whole and in pieces.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(data: &[u8]) {
    let all = [
        None,
        Some(Container::MpegTs),
        Some(Container::Fmp4),
        Some(Container::Matroska),
        Some(Container::Flv),
        Some(Container::Ogg),
        Some(Container::Mpjpeg),
        Some(Container::Adts),
        Some(Container::Mp3),
    ];
    for expected in all {
        let mut whole = Sniffer::new(expected);
        let marks = whole.push(data);
        let mut pieces = Sniffer::new(expected);
        let mut units = Vec::new();
        for (n, piece) in data.chunks(7).enumerate() {
            let marks = pieces.push(piece);
            let mut from = 0;
            while let Some(at) = marks.units.first_from(from) {
                units.push(at);
                from = at + 1;
            }
            if n % 4096 == 4095 {
                pieces.abandon();
                return;
            }
        }
        let mut from = 0;
        for at in units {
            assert_eq!(marks.units.first_from(from), Some(at), "{expected:?}: units depend on the split");
            from = at + 1;
        }
        assert_eq!(marks.units.first_from(from), None, "{expected:?}: units depend on the split");
        assert_eq!(whole.format(), pieces.format());
        assert_eq!(whole.header(), pieces.header());
        assert_eq!(whole.media_time(), pieces.media_time());
        assert_eq!(whole.abandon(), pieces.abandon());
    }
}

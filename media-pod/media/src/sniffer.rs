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
                Some(Container::MpegTs) => {
                    self.found.set_format(Container::MpegTs, crate::ts::CONTENT_TYPE, &[]);
                }
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

    /// Why nobody can join this stream late, in words for people, if that is so.
    ///
    /// fMP4 whose fragments state where their data lie in the file (`base-data-offset-present`, ISO/IEC 14496-12 section 8.8.7;
    /// what ffmpeg writes without `default_base_moof`) can be decoded from its first byte only. Its fragments
    /// are units but never random access points.
    pub fn obstacle(&self) -> Option<&'static str> {
        self.found.obstacle
    }

    /// The writer is gone: what has to be written so that another run may follow on the same connection.
    ///
    /// MPEG-TS: stuffing to the end of the packet. MPJPEG: the end of the picture, of its header line or of the boundary,
    /// so that the boundary of the next run does no harm. Else nothing. The sniffer counts these bytes as pushed,
    /// and takes what comes next for the beginning of a unit.
    pub fn abandon(&mut self) -> Bytes {
        let State::Known(parser) = &mut self.state else { return Bytes::new() };
        let bytes = parser.abandon(&mut self.found);
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

#[cfg(test)]
mod tests {
    #[test]
    fn whatever_comes_never_panics_and_marks_never_depend_on_the_split() {
        let words: [&[u8]; 12] = [
            b"FLV\x01\x05\0\0\0\x09\0\0\0\0",
            b"\x09\0\0\x05\0\0\0\0\0\0\0\x17\0\0\0\0\0\0\0\x10",
            b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x13",
            b"OpusHead\x01\x02",
            b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff",
            b"\x1f\x43\xb6\x75\xff\xe7\x81\0\xa3\x84\x81\0\0\x80",
            b"\0\0\0\x08ftyp\0\0\0\x10moov\0\0\0\x08mvex",
            b"\0\0\0\x28moof\0\0\0\x20traf\0\0\0\x10tfhd\0\0\0\0\0\0\0\x01",
            b"\r\n--x\r\nContent-type: image/jpeg\r\nContent-length: 5\r\n\r\n",
            b"\xff\xf1\x4c\x80\x02\x1f\xfc\0\0\0\0\0\0\0\0\0",
            b"\x47\x40\0\x10\0\0\xb0\x0d\0\x01\xc1\0\0\0\x01\xf0\0\x2a\xb1\x04\xb2",
            b"\x47\x41\0\x30\x07\x50\0\0\0\0\0\0\0\0\x01\xe0",
        ];
        let mut random = 1_u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % below
        };
        for _ in 0..2000 {
            let mut bytes = Vec::new();
            for _ in 0..next(20) {
                bytes.extend_from_slice(words[next(words.len())]);
                bytes.resize(bytes.len() + next(3) * next(190), next(256) as u8);
            }
            crate::fuzz(&bytes);
        }
    }

    #[test]
    fn a_sniffer_can_move_to_another_thread() {
        fn moves<T: Send>() {}
        moves::<super::Sniffer>();
    }
}

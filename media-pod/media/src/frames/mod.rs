//! Audio frames one after another without a container: ADTS and MPEG audio.

pub(crate) mod adts;
pub(crate) mod id3;
pub(crate) mod mp3;

use std::fmt::Debug;
use std::marker::PhantomData;

use millrace_bus::{Container, TrackKind};

use crate::found::{Found, track};
use crate::walk::{Step, Walk};

/// Frames in a row that it takes at the very beginning or after garbage.
pub(crate) const LIKELY: usize = 3;
/// As [`LIKELY`], in the middle of something unknown.
pub(crate) const UNLIKELY: usize = 8;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Length in bytes with the header.
    pub(crate) len: usize,
    pub(crate) samples: u32,
    pub(crate) rate: u32,
    /// What is the same in all frames of a stream.
    pub(crate) same: u32,
}

/// A kind of frame.
pub(crate) trait Kind: Debug + Default + Send {
    const CONTAINER: Container;
    const CONTENT_TYPE: &'static str;
    const CODEC: &'static str;
    /// Bytes that [`read`](Self::read) needs.
    const HEADER: usize;
    /// Reads a header; `None` if it is none.
    fn read(header: &[u8]) -> Option<Frame>;
}

/// Whether frames follow each other from here.
pub(crate) enum Row {
    Yes,
    No,
    /// To be told with so many bytes.
    Need(usize),
}

/// Looks at `count` frames, and as many more as it takes to pass over `length` bytes.
pub(crate) fn row<K: Kind>(bytes: &[u8], count: usize, length: usize) -> Row {
    let mut at = 0;
    let mut first = None;
    for n in 0.. {
        if n >= count && at >= length {
            break;
        }
        let Some(header) = bytes.get(at..at + K::HEADER) else { return Row::Need(at + K::HEADER) };
        let Some(frame) = K::read(header) else { return Row::No };
        if *first.get_or_insert(frame.same) != frame.same {
            return Row::No;
        }
        at += frame.len;
    }
    Row::Yes
}

/// The parser of such a stream.
#[derive(Debug, Default)]
pub(crate) struct Frames<K> {
    same: Option<u32>,
    kind: PhantomData<K>,
}

impl<K: Kind> Walk for Frames<K> {
    fn step(&mut self, window: &[u8], at: u64, found: &mut Found) -> Step {
        let Some(header) = window.get(..K::HEADER.max(id3::HEADER)) else {
            return Step::Need(K::HEADER.max(id3::HEADER));
        };
        let frame = K::read(header);
        if let Some(frame) = frame.filter(|f| Some(f.same) == self.same) {
            found.unit(at);
            found.audio_point(at);
            found.frames(1);
            found.clock.advance(u64::from(frame.samples), u64::from(frame.rate));
            return Step::Skip(frame.len as u64);
        }
        if let Some(tag) = id3::len(header) {
            return Step::Skip(tag);
        }
        self.same = None;
        let Some(frame) = frame else {
            let ahead = memchr::memchr2(0xff, b'I', window.get(1..).unwrap_or_default());
            return Step::Skip(ahead.map_or(window.len(), |ahead| ahead + 1) as u64);
        };
        match row::<K>(window, LIKELY, 0) {
            Row::Need(n) => return Step::Need(n),
            Row::No => return Step::Skip(1),
            Row::Yes => {}
        }
        self.same = Some(frame.same);
        found.container = Some(K::CONTAINER);
        found.set_format(K::CONTAINER, K::CONTENT_TYPE, &[track(TrackKind::Audio, K::CODEC)]);
        Step::Skip(0)
    }
}

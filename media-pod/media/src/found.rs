//! What the parsers write down, and where a push collects its marks.

use std::mem;

use bytes::Bytes;
use millrace_bus::{Container, Format, Header, Marks, Track, TrackKind, Units};
use smallvec::SmallVec;

use crate::clock::Clock;

/// Everything known of a stream, and the marks of the push that is going on.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Set once the container has shown itself.
    pub(crate) container: Option<Container>,
    pub(crate) format: Option<Format>,
    pub(crate) header: Option<Header>,
    pub(crate) version: u32,
    pub(crate) clock: Clock,
    /// Why nobody can join who was not there from the beginning.
    pub(crate) obstacle: Option<&'static str>,
    marks: Marks,
    audio_point: Option<u64>,
}

impl Found {
    /// A unit of any size begins.
    pub(crate) fn unit(&mut self, at: u64) {
        match &mut self.marks.units {
            Units::At(list) => list.push(at),
            units => *units = Units::At(as_list(units, Some(at))),
        }
    }

    /// Units of one size begin from `first` to `last`.
    pub(crate) fn every(&mut self, first: u64, stride: u32, last: u64) {
        match &mut self.marks.units {
            Units::None => self.marks.units = Units::Every { first, stride, last },
            Units::Every { stride: s, last: end, .. }
                if *s == stride && *end + u64::from(stride) == first =>
            {
                *end = last;
            }
            Units::At(all) => all.extend((first..=last).step_by(stride.max(1) as usize)),
            units @ Units::Every { .. } => {
                let mut all = as_list(units, None);
                all.extend((first..=last).step_by(stride.max(1) as usize));
                *units = Units::At(all);
            }
        }
    }

    /// A decoder can begin at this unit.
    pub(crate) fn random_access(&mut self, at: u64) {
        self.marks.random_access.push(at);
    }

    /// A decoder can begin at this unit if there is no video: the last of each push is kept.
    pub(crate) fn audio_point(&mut self, at: u64) {
        self.audio_point = Some(at);
    }

    /// So many frames began.
    pub(crate) fn frames(&mut self, count: u32) {
        self.marks.frames = self.marks.frames.saturating_add(count);
    }

    /// The header as it is now; the version grows if that is news.
    pub(crate) fn set_header(&mut self, bytes: Bytes, splice: Bytes) {
        let header = Header { bytes, splice };
        if self.header.as_ref() != Some(&header) {
            self.header = Some(header);
            self.version = self.version.wrapping_add(1);
        }
    }

    /// The format as it is now; kept as it was if it says the same.
    pub(crate) fn set_format(&mut self, container: Container, content_type: &str, tracks: &[Track]) {
        let same = self.format.as_ref().is_some_and(|f| {
            f.container == container && &*f.content_type == content_type && *f.tracks == *tracks
        });
        if !same {
            self.format =
                Some(Format { container, content_type: content_type.into(), tracks: tracks.into() });
        }
    }

    /// Whether tracks are known and none is video.
    pub(crate) fn audio_only(&self) -> bool {
        self.format.as_ref().is_some_and(Format::audio_only)
    }

    /// The marks since the last call.
    pub(crate) fn take_marks(&mut self) -> Marks {
        let point = self.audio_point.take();
        if self.audio_only() {
            self.marks.random_access.extend(point);
        }
        mem::take(&mut self.marks)
    }
}

fn as_list(units: &Units, more: Option<u64>) -> SmallVec<[u64; 4]> {
    let mut list = SmallVec::new();
    match units {
        Units::None => {}
        Units::At(old) => list.extend_from_slice(old),
        Units::Every { first, stride, last } => {
            list.extend((*first..=*last).step_by((*stride).max(1) as usize));
        }
    }
    list.extend(more);
    list
}

/// A track.
pub(crate) fn track(kind: TrackKind, codec: &'static str) -> Track {
    Track { kind, codec }
}

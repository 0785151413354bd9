//! What a fragment begins with, ISO/IEC 14496-12 section 8.8.

use super::movie::Movie;
use crate::found::Found;
use crate::read::{be, byte};

/// Of sample flags: not a sync sample.
const NOT_SYNC: u64 = 0x1_0000;

/// Of track fragments: the data are found by their place in the file.
const BASE_OFFSET: u64 = 0x1;
const OBSTACLE: &str = "its fragments say where in the file their data are, so it can be decoded only from the first byte: \
                        let the muxer write offsets within the fragment (ffmpeg: -movflags +default_base_moof)";

/// The fragment under way.
#[derive(Debug, Default)]
pub(crate) struct Fragment {
    start: u64,
    decided: bool,
    main: bool,
    /// Its data are found by their place in the file.
    absolute: bool,
    default_flags: u64,
}

impl Fragment {
    /// A fragment whose unit begins at `start`.
    pub(crate) fn new(start: u64) -> Self {
        Self { start, ..Self::default() }
    }

    /// A track's part of it begins.
    pub(crate) fn track(&mut self) {
        self.main = false;
    }

    /// `tfhd`: which track, and its default flags if they are not those of the movie.
    pub(crate) fn header(&mut self, body: &[u8], movie: &Movie, found: &mut Found) -> Option<()> {
        let flags = be(body, 1, 3)?;
        let id = be(body, 4, 4)?;
        if flags & BASE_OFFSET != 0 {
            self.absolute = true;
            found.obstacle = Some(OBSTACLE);
        }
        let main = movie.main()?;
        self.main = main.id == id;
        self.default_flags = main.default_flags;
        let optional = [(BASE_OFFSET, 8), (0x2, 4), (0x8, 4), (0x10, 4)];
        let at = 8 + optional.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, len)| len).sum::<usize>();
        if flags & 0x20 != 0 {
            self.default_flags = be(body, at, 4)?;
        }
        Some(())
    }

    /// `tfdt`: when it begins.
    pub(crate) fn time(&self, body: &[u8], movie: &Movie, found: &mut Found) -> Option<()> {
        let main = movie.main().filter(|_| self.main)?;
        let ticks = if byte(body, 0)? == 1 { be(body, 4, 8)? } else { be(body, 4, 4)? };
        found.clock.feed(ticks, main.timescale, None);
        Some(())
    }

    /// `trun`: the samples, of which the first decides.
    pub(crate) fn run(&mut self, body: &[u8], movie: &Movie, found: &mut Found) -> Option<()> {
        let flags = be(body, 1, 3)?;
        let count = be(body, 4, 4)?;
        if !self.main || count == 0 {
            return None;
        }
        found.frames(count as u32);
        if std::mem::replace(&mut self.decided, true) {
            return None;
        }
        let mut at = 8 + if flags & 0x1 == 0 { 0 } else { 4 };
        let sample = if flags & 0x4 != 0 {
            be(body, at, 4)?
        } else if flags & 0x400 != 0 {
            at += [0x100, 0x200].iter().filter(|flag| flags & *flag != 0).count() * 4;
            be(body, at, 4)?
        } else {
            self.default_flags
        };
        if self.absolute {
            return None;
        }
        if !movie.video() {
            found.audio_point(self.start);
        } else if sample & NOT_SYNC == 0 {
            found.random_access(self.start);
        }
        Some(())
    }
}

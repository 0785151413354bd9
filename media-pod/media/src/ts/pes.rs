//! Pictures of the main stream: how many, and which can be begun at.

use millrace_bus::TrackKind;

use super::key::{Finder, Verdict};
use super::packet::Packet;
use super::program::Elementary;
use crate::found::Found;

/// Frames without the random access indicator after which it is not trusted to be set any more.
const SILENT: u32 = 1000;

/// Watches the packets of one PID.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    video: bool,
    codec: &'static str,
    /// Frames since the last with the indicator; `None` if there was none yet.
    since_indicated: Option<u32>,
    /// The frame whose beginning is being looked at, where the indicator is not to be had.
    looking: Option<(u64, Finder)>,
}

impl Pictures {
    /// Another stream is the main one, or perhaps the same.
    pub(crate) fn watch(&mut self, main: Option<&Elementary>) {
        let (video, codec) = main.map_or((false, ""), |s| (s.track.kind == TrackKind::Video, s.track.codec));
        if (video, codec) != (self.video, self.codec) {
            *self = Self { video, codec, ..Self::default() };
        }
    }

    /// Bytes are missing.
    pub(crate) fn lost(&mut self) {
        self.looking = None;
    }

    pub(crate) fn packet(&mut self, packet: &Packet, at: u64, found: &mut Found) {
        if packet.starts() {
            found.frames(1);
            if !self.video {
                found.audio_point(at);
                return;
            }
            self.looking = None;
            if packet.random_access() {
                self.since_indicated = Some(0);
                found.random_access(at);
                return;
            }
            self.since_indicated = self.since_indicated.map(|n| n + 1).filter(|n| *n < SILENT);
            if self.since_indicated.is_none() {
                self.looking = Finder::new(self.codec).map(|finder| (at, finder));
            }
        }
        let Some((start, finder)) = &mut self.looking else { return };
        match finder.push(packet.payload) {
            Verdict::Key => found.random_access(*start),
            Verdict::More => return,
            Verdict::Not => {}
        }
        self.looking = None;
    }
}

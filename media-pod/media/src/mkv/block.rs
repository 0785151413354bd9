//! Blocks: whether a cluster begins with a key frame, RFC 9559 section 10.

use crate::found::Found;
use crate::read::byte;

const KEY: u8 = 0x80;

/// What is known of the beginning of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Lead {
    cluster: u64,
    decided: bool,
    /// In a group: whether it carries the main track, and whether it refers to another frame.
    main: bool,
    refers: bool,
}

impl Lead {
    pub(crate) fn new(cluster: u64) -> Self {
        Self { cluster, ..Self::default() }
    }

    /// A block, of which the first bytes are given.
    pub(crate) fn block(&mut self, body: &[u8], simple: bool, main: Option<(u64, bool)>, found: &mut Found) {
        let Some((number, flags)) = read(body) else { return };
        let Some((main, video)) = main else { return };
        if number != main {
            return;
        }
        found.frames(1);
        if simple {
            self.decide(flags & KEY != 0, video, found);
        } else {
            self.main = true;
        }
    }

    /// A group begins.
    pub(crate) fn group(&mut self) {
        (self.main, self.refers) = (false, false);
    }

    /// The frame of the group refers to another.
    pub(crate) fn reference(&mut self) {
        self.refers = true;
    }

    /// Only at its end is it known that a group refers to no other.
    pub(crate) fn group_ends(&mut self, video: bool, found: &mut Found) {
        if std::mem::take(&mut self.main) {
            self.decide(!self.refers, video, found);
        }
    }

    fn decide(&mut self, key: bool, video: bool, found: &mut Found) {
        if std::mem::replace(&mut self.decided, true) {
            return;
        }
        match video {
            true if key => found.random_access(self.cluster),
            true => {}
            false => found.audio_point(self.cluster),
        }
    }
}

/// Track number and flags.
fn read(body: &[u8]) -> Option<(u64, u8)> {
    let first = byte(body, 0)?;
    let len = first.leading_zeros() as usize + 1;
    if len > 8 {
        return None;
    }
    let number = super::element::number(body.get(..len)?) & ((1 << (7 * len)) - 1);
    Some((number, byte(body, len + 2)?))
}

//! Puts a write together: the clip's packets as part of one endless stream, between two stamps.

use crate::clip::{Clip, Write};
use crate::restamp::Restamp;
use crate::ts::{PACKET, STAMP_PID, Stamp};

/// A clip and how far it has been played.
pub struct Reel<'a> {
    clip: &'a Clip,
    restamp: Restamp,
    buf: Vec<u8>,
    seq: u64,
}

impl<'a> Reel<'a> {
    /// At the beginning.
    pub fn new(clip: &'a Clip) -> Self {
        Self::numbered(clip, 0)
    }

    /// At the beginning, with stamps that count from `seq`: so one can tell whose they are.
    pub fn numbered(clip: &'a Clip, seq: u64) -> Self {
        Self { clip, restamp: Restamp::default(), buf: Vec::new(), seq }
    }

    /// The bytes of the next write, in the given round of the loop, stamped with `ns`. Writes must be asked for in
    /// their order.
    pub fn assemble(&mut self, write: &Write, round: u64, ns: u64) -> &[u8] {
        let mut stamp = Stamp { ns, seq: self.seq, key: write.key, last: false };
        self.buf.clear();
        self.buf.extend_from_slice(&stamp.packet(self.restamp.next_counter(STAMP_PID)));
        self.buf.extend_from_slice(self.clip.data.get(write.bytes.clone()).unwrap_or_default());
        let packets = self.buf.get_mut(PACKET..).unwrap_or_default();
        self.restamp.rewrite(packets, round * self.clip.duration_90k());
        stamp.last = true;
        self.buf.extend_from_slice(&stamp.packet(self.restamp.next_counter(STAMP_PID)));
        self.seq += 1;
        &self.buf
    }
}

//! Numbers of packets.

/// The numbers of one channel id in both directions. Both begin at zero and are 64 bits wide; a header has the low 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    next_out: u64,
    next_in: u64,
}

impl Numbers {
    /// The number of the next packet to send.
    pub fn next_out(&mut self) -> u64 {
        let number = self.next_out;
        self.next_out += 1;
        number
    }

    /// The whole number of a packet that came in and how many are missing before it; none when its number was there
    /// already or was skipped.
    pub fn place(&self, wire: u32) -> Option<(u64, u64)> {
        let ahead = wire.wrapping_sub(self.next_in as u32);
        if ahead < 1 << 31 { Some((self.next_in + u64::from(ahead), u64::from(ahead))) } else { None }
    }

    /// The packet with this number was taken.
    pub fn took(&mut self, number: u64) {
        self.next_in = number + 1;
    }
}

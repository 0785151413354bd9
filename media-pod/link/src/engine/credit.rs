//! Flow control: what may be sent before more is granted.

/// What a packet costs besides its `size`, so that empty packets are not free.
pub const PACKET_COST: u32 = 64;

/// Credit that this side has granted to the other on one channel.
#[derive(Clone, Copy, Debug)]
pub struct Grants {
    window: u32,
    open: u32,
    pending: u32,
}

impl Grants {
    /// The whole window is granted when the channel is opened.
    pub fn new(window: u32) -> Self {
        Self { window, open: window, pending: 0 }
    }

    /// Takes what a packet costs; `false`: the other side sent more than it may.
    pub fn take(&mut self, cost: u32) -> bool {
        match self.open.checked_sub(cost) {
            Some(rest) => {
                self.open = rest;
                true
            }
            None => false,
        }
    }

    /// Something that cost this much was consumed. Gives what to grant now: small amounts are gathered to a quarter
    /// of the window. A message has at most half a window, so a sender never waits for what is gathered here.
    #[must_use]
    pub fn consumed(&mut self, cost: u32) -> Option<u32> {
        let held = self.window - self.open - self.pending;
        self.pending += cost.min(held);
        if self.pending < self.window / 4 {
            return None;
        }
        let grant = std::mem::take(&mut self.pending);
        self.open += grant;
        Some(grant)
    }

    /// What the other side may still send.
    pub fn open(&self) -> u32 {
        self.open
    }
}

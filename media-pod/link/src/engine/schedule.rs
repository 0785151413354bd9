//! Which channel sends next: deficit round robin.

use std::collections::VecDeque;

use crate::wire::ChannelId;

/// Channels that have something to send and may. Each in turn sends as many bytes as its weight allows; files have a
/// quarter of the weight of everything else.
#[derive(Debug)]
pub struct Schedule {
    quantum: usize,
    ring: VecDeque<(ChannelId, usize)>,
}

impl Schedule {
    /// Nobody; a channel of weight 1 may send `quantum` bytes per round.
    pub fn new(quantum: usize) -> Self {
        Self { quantum, ring: VecDeque::new() }
    }

    /// A channel that is not in it has something to send.
    pub fn add(&mut self, channel: ChannelId, weight: usize) {
        self.ring.push_back((channel, self.quantum * weight));
    }

    /// Whose turn it is.
    pub fn front(&self) -> Option<ChannelId> {
        self.ring.front().map(|(channel, _)| *channel)
    }

    /// It sent this many bytes.
    pub fn sent(&mut self, bytes: usize, weight: usize) {
        let Some((_, share)) = self.ring.front_mut() else { return };
        if *share > bytes {
            *share -= bytes;
        } else {
            *share += self.quantum * weight;
            *share -= bytes.min(*share);
            self.ring.rotate_left(1);
        }
    }

    /// It has nothing to send or may not.
    pub fn drop_front(&mut self) {
        self.ring.pop_front();
    }

    /// Whether nobody has anything to send.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Takes a channel out, wherever it is.
    pub fn remove(&mut self, channel: ChannelId) {
        self.ring.retain(|(other, _)| *other != channel);
    }
}

//! One channel on one shard: where its live edge is, who stands there, who is behind.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use slab::Slab;

use super::{Door, Order, seat::Seat};
use crate::{
    Channel,
    follow::Parts,
    node::Cursor,
    relay::{Dirty, Relay},
    sync::Ordering,
};

/// Gathered for one write, in bytes.
const GATHER: usize = 256 << 10;
/// The longest that writes are gathered for.
const LONGEST_FLUSH: Duration = Duration::from_secs(10);
/// The least that may wait in the kernel for one viewer, in bytes.
const LEAST_BUDGET: usize = 128 << 10;
/// The most: half a second of 64 Mbit/s. A flood is no stream.
const MOST_BUDGET: usize = 4 << 20;
/// A stream that floods does not make its slowest viewer hold all of it: this is two seconds of 128 Mbit/s.
const MOST_ALLOWED: u64 = 32 << 20;

/// See the module.
pub(crate) struct Lane {
    pub channel: Arc<Channel>,
    pub relay: Arc<LaneRelay>,
    registered: Arc<dyn Relay>,
    pub edge: Cursor,
    /// Seats that have everything up to `edge`.
    pub live: Vec<usize>,
    /// All others.
    pub behind: Vec<usize>,
    pub flush: Duration,
    pub deadline: Option<Instant>,
    /// Who is first in the next round.
    pub turn: usize,
    judged_at: u64,
    dismissals: u64,
    pub budget: usize,
}

/// Wakes the shard once, however much is published until it looks.
pub(crate) struct LaneRelay {
    dirty: Dirty,
    door: Arc<Door>,
    lane: usize,
}

impl Relay for LaneRelay {
    fn wake(&self) {
        if self.dirty.mark() {
            self.door.send(Order::Lane(self.lane));
        }
    }
}

impl LaneRelay {
    pub fn clear(&self) {
        self.dirty.clear();
    }
}

/// What comes next at the live edge.
pub(crate) enum News {
    Chunks {
        total: usize,
    },
    /// A new run begins.
    Generation,
    Nothing,
}

impl Lane {
    pub fn new(channel: Arc<Channel>, door: &Arc<Door>, number: usize, flush: Duration) -> Self {
        let relay = Arc::new(LaneRelay { dirty: Dirty::new(), door: door.clone(), lane: number });
        let registered: Arc<dyn Relay> = relay.clone();
        channel.add_relay(registered.clone());
        let edge = channel.edge();
        Self {
            channel,
            relay,
            registered,
            edge,
            live: Vec::new(),
            behind: Vec::new(),
            flush: flush.min(LONGEST_FLUSH),
            deadline: None,
            turn: 0,
            judged_at: 0,
            dismissals: 0,
            budget: LEAST_BUDGET,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.behind.is_empty()
    }

    /// Gathers what was published since, and moves the edge past it. Gives the place before.
    pub fn news(&mut self, parts: &mut Parts) -> (News, Cursor) {
        let before = self.edge.clone();
        parts.clear();
        let mut total = 0;
        if !self.edge.exhausted() {
            let rest = self.edge.rest();
            total += rest.len();
            parts.push(rest);
            self.edge = Cursor::at_end(self.edge.node.clone());
        }
        while total < GATHER && parts.len() < parts.inline_size() {
            let Some(next) = self.edge.node.next.get() else { break };
            if !Arc::ptr_eq(&next.generation, &self.edge.node.generation) {
                if !parts.is_empty() || !next.generation.decided() {
                    break;
                }
                self.edge = Cursor { node: next, skip: 0 };
                return (News::Generation, before);
            }
            total += next.bytes.len();
            parts.push(next.bytes.clone());
            self.edge = Cursor::at_end(next);
        }
        (if total > 0 { News::Chunks { total } } else { News::Nothing }, before)
    }

    /// Whether it is time to look who is too far behind.
    pub fn judge_now(&mut self) -> bool {
        let due = self.edge.offset() >= self.judged_at + (64 << 10);
        if due {
            self.judged_at = self.edge.offset();
        }
        due
    }

    /// Whether the channel was closed, or those present were sent away since this was last [`noticed`](Self::noticed).
    pub fn over(&self) -> bool {
        self.channel.is_closed() || self.channel.dismissals.load(Ordering::Acquire) != self.dismissals
    }

    pub fn noticed(&mut self) {
        self.dismissals = self.channel.dismissals.load(Ordering::Acquire);
    }

    /// What a viewer may be behind, in bytes: two seconds of the stream, within reason.
    pub fn allowed(&self) -> u64 {
        (self.channel.qos().bitrate / 8 * 2).min(MOST_ALLOWED)
    }

    /// What may wait in the kernel for each: half a second of the stream. True: more than before.
    pub fn update_budget(&mut self) -> bool {
        let half_second = ((self.channel.qos().bitrate / 16) as usize).min(MOST_BUDGET);
        let grown = half_second > self.budget + self.budget / 4;
        if grown {
            self.budget = half_second;
        }
        grown
    }

    pub fn seat(&mut self, number: usize, seat: &mut Seat) {
        let list = if seat.at_edge { &mut self.live } else { &mut self.behind };
        seat.index = list.len();
        list.push(number);
    }

    /// Takes a seat off the list that it is on.
    pub fn unseat(&mut self, was_live: bool, index: usize, seats: &mut Slab<Seat>) {
        let list = if was_live { &mut self.live } else { &mut self.behind };
        if index >= list.len() {
            return;
        }
        list.swap_remove(index);
        if let Some(moved) = list.get(index).and_then(|number| seats.get_mut(*number)) {
            moved.index = index;
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.channel.remove_relay(&self.registered);
    }
}

//! One viewer on a shard.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Left, OnLeave, Sink, Viewer, ViewerStats};
use crate::{
    Channel, End,
    follow::{Follower, Parts},
    node::Cursor,
};

/// A viewer that takes nothing for this long, while there is something to take, is thrown out.
const STALLED: Duration = Duration::from_mins(1);
/// Catching up sends at most this much per turn, in bytes, so that the live edge never waits for it.
const TURN: usize = 64 << 10;
/// The least that may lie between a viewer and the live edge before it skips, in bytes.
const LEAST_ALLOWED: u64 = 1 << 20;

/// See the module.
pub(crate) struct Seat {
    pub sink: Box<dyn Sink>,
    head: Option<Bytes>,
    pub follower: Follower,
    /// Shares the lane's place.
    pub at_edge: bool,
    /// Its lane, and where it stands in one of the lane's two lists.
    pub lane: usize,
    pub index: usize,
    /// Tells this viewer from an earlier one in the same seat.
    pub generation: u64,
    /// The last write went through, or an event said that there is room.
    pub writable: bool,
    /// Queued for another turn.
    pub queued: bool,
    /// What it was behind when it joined is not held against it.
    backlog: u64,
    pub flush: Duration,
    pub stats: Arc<ViewerStats>,
    on_leave: Option<OnLeave>,
    moved: Instant,
    pub budget: usize,
}

/// What became of a turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has everything up to the edge.
    AtEdge,
    /// It has nothing to get at the moment, or no room for it.
    Waits,
    /// There is more to send, and room.
    More,
    /// It is over.
    Leaves(Left),
}

impl Seat {
    pub fn new(viewer: Viewer, stats: Arc<ViewerStats>) -> Self {
        let Viewer { sink, head, joined, flush, on_leave } = viewer;
        let backlog = joined.follower.lag(joined.channel().offset());
        Self {
            sink,
            head: Some(head).filter(|head| !head.is_empty()),
            follower: joined.follower,
            at_edge: false,
            lane: 0,
            index: 0,
            generation: 0,
            writable: true,
            queued: false,
            backlog,
            flush,
            stats,
            on_leave: Some(on_leave),
            moved: Instant::now(),
            budget: 0,
        }
    }

    /// Sends `parts`, the newest chunks, to a viewer at the edge. `edge` is the place before them.
    /// Gives the bytes sent.
    pub fn send_live(&mut self, parts: &[Bytes], total: usize, edge: &Cursor) -> io::Result<usize> {
        let mut interrupted = false;
        let sent = match self.sink.write(parts) {
            Ok(sent) => sent,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {
                interrupted = true;
                0
            }
            Err(e) => return Err(e),
        };
        self.stats.sent.fetch_add(sent as u64, Ordering::Relaxed);
        if sent < total {
            self.leave_edge(edge);
            self.follower.advance(sent);
            // An edge-triggered event follows only where the socket was tried and found full.
            self.writable = sent > 0 || interrupted;
            self.moved = Instant::now();
        }
        Ok(sent)
    }

    /// Takes a place of its own.
    pub fn leave_edge(&mut self, edge: &Cursor) {
        if self.at_edge {
            self.at_edge = false;
            self.follower.resume(edge.clone());
        }
    }

    /// Catches up by one turn. `edge` is where the lane stands.
    pub fn turn(&mut self, channel: &Channel, edge: &Cursor, parts: &mut Parts) -> Turn {
        match self.try_turn(channel, edge, parts) {
            Ok(turn) => turn,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.writable = false;
                Turn::Waits
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Turn::More,
            Err(_) => Turn::Leaves(Left::HungUp),
        }
    }

    fn try_turn(&mut self, channel: &Channel, edge: &Cursor, parts: &mut Parts) -> io::Result<Turn> {
        if !self.sink.flush()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut left = TURN;
        loop {
            let closed = self.follower.over(channel);
            parts.clear();
            self.follower.pending(channel, edge.offset(), left, parts);
            let head = self.head.is_some();
            if let Some(head) = &self.head {
                parts.insert(0, head.clone());
            }
            if parts.is_empty() {
                let over = closed && edge.node.next.get().is_none();
                if let Some(end) = self.follower.ended().or(over.then_some(End::Closed)) {
                    if !self.sink.flush()? {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    return Ok(Turn::Leaves(Left::Ended(end)));
                }
                if !closed && self.follower.is_at(edge) {
                    self.backlog = 0;
                    self.at_edge = true;
                    self.follower.share();
                    return Ok(Turn::AtEdge);
                }
                return Ok(Turn::Waits);
            }
            let sent = self.sink.write(parts)?;
            if sent == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.moved = Instant::now();
            self.stats.sent.fetch_add(sent as u64, Ordering::Relaxed);
            let of_stream = self.take(sent, head);
            channel.bytes_out.fetch_add(of_stream as u64, crate::sync::Ordering::Relaxed);
            if sent >= left {
                return Ok(Turn::More);
            }
            left -= sent;
        }
    }

    /// Gives how much of what was sent is the stream's.
    fn take(&mut self, sent: usize, head: bool) -> usize {
        let mut rest = sent;
        if head && let Some(bytes) = &mut self.head {
            let taken = rest.min(bytes.len());
            let _ = bytes.split_to(taken);
            rest -= taken;
            if bytes.is_empty() {
                self.head = None;
            }
        }
        if rest > 0 {
            self.follower.advance(rest);
        }
        rest
    }

    /// The channel offset up to which it was sent everything.
    pub fn reached(&self, edge: u64) -> Option<u64> {
        if self.head.is_some() { None } else { self.follower.reached(edge) }
    }

    /// Whether it took nothing for too long.
    pub fn stalled(&self, now: Instant) -> bool {
        !self.at_edge && !self.writable && now.duration_since(self.moved) > STALLED
    }

    /// Lets a viewer skip that is too far behind.
    pub fn judge(&mut self, channel: &Channel, edge: &Cursor, allowed: u64) {
        if self.at_edge {
            return;
        }
        if self.follower.skip_if_late(channel, edge, allowed.max(LEAST_ALLOWED) + self.backlog).is_some() {
            self.stats.skips.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Bytes between the edge and what the viewer acknowledged.
    pub fn measure_lag(&self, edge: u64) {
        let behind = if self.at_edge { 0 } else { self.follower.lag(edge) };
        self.stats.lag.store(behind + self.sink.unacknowledged(), Ordering::Relaxed);
    }

    pub fn leave(mut self, left: Left) {
        self.sink.close(matches!(left, Left::Ended(_)));
        if let Some(on_leave) = self.on_leave.take() {
            on_leave(left, &self.stats);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_viewer_takes_little_memory() {
        let bytes = size_of::<super::Seat>() + size_of::<super::ViewerStats>();
        assert!(bytes <= 512, "{bytes} bytes");
    }
}

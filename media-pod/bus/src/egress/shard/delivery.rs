//! What goes out: news to all at the edge at once, and the rest to those behind, by turns.

use std::time::Instant;

use bytes::Bytes;

use super::Shard;
use crate::{
    egress::{Left, lane::News, seat::Turn},
    node::Cursor,
};

/// Writes to each viewer of a lane before the other lanes have their turn.
const ROUNDS: usize = 4;

impl Shard {
    /// A channel has news: they are sent now, or when enough of them may have come.
    pub(super) fn lane_news(&mut self, number: usize) {
        let Some(lane) = self.lanes.get_mut(number) else { return };
        lane.relay.clear();
        if lane.flush.is_zero() || lane.over() {
            return self.deliver(number);
        }
        let now = Instant::now();
        if lane.deadline.is_none() {
            lane.deadline = Some(now + lane.flush);
        }
    }

    /// Sends everything new to those at the edge, and gives those behind a turn.
    pub(super) fn deliver(&mut self, number: usize) {
        let Some(lane) = self.lanes.get_mut(number) else { return };
        lane.deadline = None;
        let over = lane.over();
        let mut parts = std::mem::take(&mut self.parts);
        let mut rounds = 0;
        while let Some(lane) = self.lanes.get_mut(number) {
            if rounds == ROUNDS {
                if !self.unfinished.contains(&number) {
                    self.unfinished.push(number);
                }
                break;
            }
            rounds += usize::from(!lane.live.is_empty());
            let (news, before) = lane.news(&mut parts);
            match news {
                News::Nothing => break,
                News::Generation => {
                    // Each crosses by itself, or cannot.
                    for seat in std::mem::take(&mut lane.live) {
                        if let Some(seated) = self.seats.get_mut(seat) {
                            seated.leave_edge(&before);
                            lane.seat(seat, seated);
                        }
                    }
                }
                News::Chunks { total } => self.broadcast(number, &parts, total, &before),
            }
        }
        parts.clear();
        self.parts = parts;
        self.look_after_behind(number);
        if over {
            self.end_lane(number);
        }
    }

    /// Sends the same bytes to everybody at the edge.
    fn broadcast(&mut self, number: usize, parts: &[Bytes], total: usize, before: &Cursor) {
        let Some(lane) = self.lanes.get_mut(number) else { return };
        let viewers = lane.live.len();
        if viewers == 0 {
            return;
        }
        lane.turn = (lane.turn + 1) % viewers;
        let first = lane.turn;
        let (mut gone, mut slow, mut through, mut all) = (Vec::new(), Vec::new(), 0, 0);
        for seat in lane.live.iter().cycle().skip(first).take(viewers) {
            let Some(seated) = self.seats.get_mut(*seat) else { continue };
            match seated.send_live(parts, total, before) {
                Ok(sent) => {
                    all += sent as u64;
                    if seated.at_edge { through += 1 } else { slow.push(*seat) }
                }
                Err(_) => gone.push(*seat),
            }
        }
        lane.channel.bytes_out.fetch_add(all, crate::sync::Ordering::Relaxed);
        if through > 0 {
            lane.channel.demand.viewer_reached(lane.edge.offset());
        }
        for seat in slow {
            let Some(index) = self.seats.get(seat).map(|seated| seated.index) else { continue };
            lane.unseat(true, index, &mut self.seats);
            if let Some(seated) = self.seats.get_mut(seat) {
                lane.seat(seat, seated);
            }
        }
        for seat in gone {
            self.leave(seat, Left::HungUp);
        }
    }

    /// Of those behind: who may stay so, and whose turn it is.
    fn look_after_behind(&mut self, number: usize) {
        let Some(lane) = self.lanes.get_mut(number) else { return };
        if lane.behind.is_empty() {
            return;
        }
        let judging = lane.judge_now().then(|| lane.allowed());
        let mut with_room = Vec::new();
        for seat in &lane.behind {
            let Some(seated) = self.seats.get_mut(*seat) else { continue };
            if let Some(allowed) = judging {
                seated.judge(&lane.channel, &lane.edge, allowed);
            }
            if seated.writable && !seated.queued {
                with_room.push(*seat);
            }
        }
        for seat in with_room {
            self.turn(seat);
        }
    }

    /// Sends to one viewer who is behind.
    pub(super) fn turn(&mut self, number: usize) {
        let Some(seat) = self.seats.get_mut(number) else { return };
        seat.queued = false;
        if seat.at_edge {
            return;
        }
        let Some(lane) = self.lanes.get_mut(seat.lane) else { return };
        let index = seat.index;
        let turn = seat.turn(&lane.channel, &lane.edge, &mut self.parts);
        // What is left in here would stay in memory until somebody else's turn.
        self.parts.clear();
        if let Some(offset) = seat.reached(lane.edge.offset()) {
            lane.channel.demand.viewer_reached(offset);
        }
        match turn {
            Turn::AtEdge => {
                lane.unseat(false, index, &mut self.seats);
                if let Some(seat) = self.seats.get_mut(number) {
                    lane.seat(number, seat);
                }
            }
            Turn::Waits => {}
            Turn::More => self.queue(number),
            Turn::Leaves(left) => self.leave(number, left),
        }
    }

    /// The channel is over: whoever has all of it leaves.
    fn end_lane(&mut self, number: usize) {
        let Some(lane) = self.lanes.get_mut(number) else { return };
        if lane.edge.node.next.get().is_some() {
            return;
        }
        lane.noticed();
        let over = |seat: &usize| self.seats.get(*seat).is_some_and(|seat| seat.follower.over(&lane.channel));
        let leaving: Vec<usize> = lane.live.iter().copied().filter(over).collect();
        for number in leaving {
            let Some(seat) = self.seats.get_mut(number) else { continue };
            let Some(lane) = self.lanes.get_mut(seat.lane) else { continue };
            // By a last turn, which waits for what the sink itself still holds.
            let index = seat.index;
            seat.leave_edge(&lane.edge);
            lane.unseat(true, index, &mut self.seats);
            if let Some(seat) = self.seats.get_mut(number) {
                lane.seat(number, seat);
            }
            self.turn(number);
        }
    }
}

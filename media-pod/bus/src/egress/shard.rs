//! One thread of the egress: polls sockets, takes news from lanes, writes.

mod delivery;

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_queue::SegQueue;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use super::{Door, Left, Order, Poke, lane::Lane, pump, pumps::Pumps, seat::Seat};
use crate::{Channel, follow::Parts};

const WAKE: Token = Token(usize::MAX);
/// How often lags are measured and socket bounds follow the bit rate.
const TICK: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Shard {
    door: Arc<Door>,
    poll: Poll,
    seats: Slab<Seat>,
    lanes: Slab<Lane>,
    by_channel: HashMap<usize, usize>,
    /// Seats with more to send and room for it, one turn each in order.
    ready: VecDeque<usize>,
    /// Lanes that gave way to others before all their news were out.
    unfinished: Vec<usize>,
    pumps: Pumps,
    parts: Parts,
    next_tick: Instant,
    seated: u64,
}

impl Shard {
    pub fn new() -> io::Result<(Arc<Door>, Self)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let door = Arc::new(Door {
            orders: SegQueue::new(),
            waker,
            viewers: AtomicUsize::new(0),
            pumps: AtomicUsize::new(0),
        });
        let shard = Self {
            door: door.clone(),
            poll,
            seats: Slab::new(),
            lanes: Slab::new(),
            by_channel: HashMap::new(),
            ready: VecDeque::new(),
            unfinished: Vec::new(),
            pumps: Pumps::default(),
            parts: Parts::new(),
            next_tick: Instant::now() + TICK,
            seated: 0,
        };
        Ok((door, shard))
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        pump::be_at_home(&self.door);
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    tracing::error!(error = %e, "an egress thread cannot poll any more");
                    return;
                }
            }
            for (number, closed) in self.pumps.take_thirsty() {
                self.pump(number, closed);
            }
            for event in &events {
                if event.token() == WAKE {
                    continue;
                }
                if let Some(pump) = Pumps::of(event.token()) {
                    self.pump(pump, event.is_read_closed() || event.is_error());
                } else {
                    self.event(event.token().0, event.is_readable() || event.is_error(), event.is_writable());
                }
            }
            for number in std::mem::take(&mut self.unfinished) {
                self.deliver(number);
            }
            // Those that come meanwhile have woken the next poll.
            for _ in 0..self.door.orders.len() {
                let Some(order) = self.door.orders.pop() else { break };
                match order {
                    Order::Seat(seat, channel) => self.take_in(*seat, &channel),
                    Order::Lane(number) => self.lane_news(number),
                    Order::Poke { seat, generation } => {
                        if self.seats.get(seat).is_some_and(|seat| seat.generation == generation) {
                            self.event(seat, true, true);
                        }
                    }
                    Order::Pump(number, pipe, pump) => {
                        if !self.pumps.add(self.poll.registry(), number, pipe.into(), pump) {
                            self.end_pump(number);
                        }
                    }
                    Order::Unpump(number) => self.end_pump(number),
                    Order::Stop => return self.dismiss_all(),
                }
            }
            // One round: those who are queued meanwhile wait for the next, after the live edges.
            for _ in 0..self.ready.len() {
                if let Some(seat) = self.ready.pop_front() {
                    self.turn(seat);
                }
            }
            self.timers();
            pump::drop_now();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let waiting = !self.ready.is_empty() || !self.unfinished.is_empty() || self.pumps.is_thirsty();
        if waiting || !self.door.orders.is_empty() {
            return Some(Duration::ZERO);
        }
        if self.seats.is_empty() {
            return None;
        }
        let flush = self.lanes.iter().filter_map(|(_, lane)| lane.deadline).min();
        let until = flush.map_or(self.next_tick, |flush| flush.min(self.next_tick));
        // Rounded up, so that a flush never spins through its last fraction of a millisecond.
        let left = until.saturating_duration_since(Instant::now());
        Some(Duration::from_millis(left.as_micros().div_ceil(1000) as u64))
    }

    fn take_in(&mut self, mut seat: Seat, channel: &Arc<Channel>) {
        let key = Arc::as_ptr(channel) as usize;
        let number = self.by_channel.get(&key).copied().unwrap_or_else(|| {
            let entry = self.lanes.vacant_entry();
            let number = entry.key();
            entry.insert(Lane::new(channel.clone(), &self.door, number, seat.flush));
            self.by_channel.insert(key, number);
            number
        });
        let Some(lane) = self.lanes.get_mut(number) else { return };
        self.seated += 1;
        seat.generation = self.seated;
        seat.lane = number;
        seat.budget = lane.budget;
        seat.sink.set_budget(lane.budget);
        let entry = self.seats.vacant_entry();
        let key = entry.key();
        seat.sink.poked_by(Poke { door: self.door.clone(), seat: key, generation: seat.generation });
        let registered = seat.sink.source().map_or(Ok(()), |source| {
            self.poll.registry().register(source, Token(key), Interest::READABLE | Interest::WRITABLE)
        });
        lane.seat(key, &mut seat);
        entry.insert(seat);
        if registered.is_err() {
            return self.leave(key, Left::HungUp);
        }
        self.turn(key);
    }

    fn event(&mut self, number: usize, readable: bool, writable: bool) {
        let Some(seat) = self.seats.get_mut(number) else { return };
        if readable && !matches!(seat.sink.drain(), Ok(true)) {
            return self.leave(number, Left::HungUp);
        }
        if writable {
            seat.writable = true;
            if !seat.at_edge {
                self.queue(number);
            } else if seat.sink.flush().is_err() {
                self.leave(number, Left::HungUp);
            }
        }
    }

    fn end_pump(&mut self, number: u64) {
        if self.pumps.remove(self.poll.registry(), number) {
            self.door.pumps.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn pump(&mut self, key: usize, closed: bool) {
        if let Some(number) = self.pumps.read(key, closed) {
            self.end_pump(number);
        }
    }

    fn queue(&mut self, number: usize) {
        if let Some(seat) = self.seats.get_mut(number)
            && !seat.queued
        {
            seat.queued = true;
            self.ready.push_back(number);
        }
    }

    fn leave(&mut self, number: usize, left: Left) {
        let Some(mut seat) = self.seats.try_remove(number) else { return };
        if let Some(source) = seat.sink.source() {
            let _ = self.poll.registry().deregister(source);
        }
        self.door.viewers.fetch_sub(1, Ordering::Relaxed);
        if let Some(lane) = self.lanes.get_mut(seat.lane) {
            lane.channel.viewers.fetch_sub(1, Ordering::Relaxed);
            lane.unseat(seat.at_edge, seat.index, &mut self.seats);
            if lane.is_empty() {
                self.by_channel.remove(&(Arc::as_ptr(&lane.channel) as usize));
                self.lanes.remove(seat.lane);
            }
        }
        seat.leave(left);
    }

    fn timers(&mut self) {
        let now = Instant::now();
        let due: Vec<usize> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.deadline.is_some_and(|at| at <= now))
            .map(|(n, _)| n)
            .collect();
        for number in due {
            self.deliver(number);
        }
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        let stalled = |(number, seat): (usize, &Seat)| seat.stalled(now).then_some(number);
        let stalled: Vec<usize> = self.seats.iter().filter_map(stalled).collect();
        for number in stalled {
            self.leave(number, Left::Stalled);
        }
        for (_, lane) in &mut self.lanes {
            let grown = lane.update_budget();
            for seat in lane.live.iter().chain(&lane.behind) {
                let Some(seated) = self.seats.get_mut(*seat) else { continue };
                if grown {
                    seated.budget = lane.budget;
                    seated.sink.set_budget(lane.budget);
                }
                seated.measure_lag(lane.edge.offset());
            }
        }
    }

    fn dismiss_all(&mut self) {
        let everyone: Vec<usize> = self.seats.iter().map(|(number, _)| number).collect();
        for number in everyone {
            self.leave(number, Left::Dismissed);
        }
    }
}

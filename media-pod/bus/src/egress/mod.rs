//! Egress: a fixed pool of threads, each of which serves any number of viewers.
//!
//! One write per viewer per chunk; no wake-up, no allocation, no lock per viewer. A stream's viewers live on one
//! shard up to [`SPREAD_AT`] of them, then on all.

mod lane;
mod plain;
mod pump;
mod pumps;
mod seat;
mod shard;
mod sink;
mod viewer;

use std::{
    io,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use crossbeam_queue::SegQueue;

pub use plain::{PlainSink, bound_socket, prepare_socket};
pub(crate) use pump::drop_later;
pub use pump::{Flow, Pump, Pumping};
pub use sink::Sink;
pub use viewer::{Left, OnLeave, Viewer, ViewerHandle, ViewerStats};

use self::{seat::Seat, shard::Shard};
use crate::Channel;

/// From this many viewers on a channel is served by all shards.
pub const SPREAD_AT: usize = 256;

/// The pool. Viewers are served until they leave or the pool is dropped.
#[derive(Debug)]
pub struct Egress {
    first: Arc<Door>,
    /// All, the first included.
    shards: Vec<Arc<Door>>,
}

/// The way into a shard's thread.
pub(crate) struct Door {
    pub orders: SegQueue<Order>,
    pub waker: mio::Waker,
    pub viewers: AtomicUsize,
    pub pumps: AtomicUsize,
}

pub(crate) enum Order {
    /// Serve this viewer.
    Seat(Box<Seat>, Arc<Channel>),
    /// The lane of this number has news.
    Lane(usize),
    /// The viewer in this seat has room again, or is gone.
    Poke { seat: usize, generation: u64 },
    /// Read this pipe, known by that number.
    Pump(u64, OwnedFd, Box<dyn Pump>),
    /// The pump of this number is to end.
    Unpump(u64),
    /// End.
    Stop,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shard({} viewers)", self.viewers.load(Ordering::Relaxed))
    }
}

impl Door {
    pub fn send(&self, order: Order) {
        self.orders.push(order);
        // The shard looks at its orders before it waits.
        if pump::at_home(self) {
            return;
        }
        // Only fails if the eventfd is gone, and with it the shard.
        let _ = self.waker.wake();
    }
}

/// Tells a shard that a sink without a socket has room again, or that its viewer is gone.
#[derive(Clone, Debug)]
pub struct Poke {
    pub(crate) door: Arc<Door>,
    pub(crate) seat: usize,
    pub(crate) generation: u64,
}

impl Poke {
    /// Never blocks.
    pub fn poke(&self) {
        self.door.send(Order::Poke { seat: self.seat, generation: self.generation });
    }
}

impl Egress {
    /// Starts `threads` shards; one per core is right.
    pub fn start(threads: usize) -> io::Result<Self> {
        let first = Self::start_shard(0)?;
        // Where a later one fails, dropping this ends the earlier ones.
        let mut egress = Self { shards: vec![first.clone()], first };
        for number in 1..threads {
            egress.shards.push(Self::start_shard(number)?);
        }
        Ok(egress)
    }

    fn start_shard(number: usize) -> io::Result<Arc<Door>> {
        let (door, shard) = Shard::new()?;
        thread::Builder::new().name(format!("egress-{number}")).spawn(move || shard.run())?;
        Ok(door)
    }

    /// Serves `viewer` from now on.
    pub fn attach(&self, viewer: Viewer) -> ViewerHandle {
        let channel = viewer.joined.channel().clone();
        let stats = Arc::new(ViewerStats::new());
        let door = self.choose(&channel);
        channel.viewers.fetch_add(1, Ordering::Relaxed);
        door.viewers.fetch_add(1, Ordering::Relaxed);
        let handle = ViewerHandle { stats: stats.clone() };
        door.send(Order::Seat(Box::new(Seat::new(viewer, stats)), channel));
        handle
    }

    /// Reads `pipe` (which must not block) from now on, on the shard that serves the viewers of `channels`, which
    /// `pump` publishes on.
    pub fn pump(&self, channels: &[Arc<Channel>], pipe: OwnedFd, pump: Box<dyn Pump>) -> Pumping {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let watched = channels.iter().filter(|channel| channel.viewers() > 0);
        let home = watched.map(|channel| channel.home_shard.load(Ordering::Relaxed)).find(|home| *home > 0);
        let shard = home.map_or_else(|| self.emptiest(), |home| home - 1);
        let door = self.shards.get(shard).unwrap_or(&self.first).clone();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        door.pumps.fetch_add(1, Ordering::Relaxed);
        door.send(Order::Pump(number, pipe, pump));
        let pumping = Pumping { door, number, shard, channels: Mutex::default() };
        pumping.publishes_on(channels);
        pumping
    }

    /// The number of the shard with the least to do.
    fn emptiest(&self) -> usize {
        let load =
            |door: &Arc<Door>| (door.viewers.load(Ordering::Relaxed), door.pumps.load(Ordering::Relaxed));
        let loads = self.shards.iter().enumerate();
        loads.min_by_key(|(_, door)| load(door)).map_or(0, |(number, _)| number)
    }

    /// Viewers on all shards.
    pub fn viewers(&self) -> usize {
        self.shards.iter().map(|door| door.viewers.load(Ordering::Relaxed)).sum()
    }

    fn choose(&self, channel: &Channel) -> Arc<Door> {
        let number = if channel.viewers() >= SPREAD_AT {
            self.emptiest()
        } else {
            let chosen = self.emptiest() + 1;
            let home = &channel.home_shard;
            if channel.viewers() == 0 {
                home.store(channel.read_by.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            match home.compare_exchange(0, chosen, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => chosen - 1,
                Err(home) => home - 1,
            }
        };
        self.shards.get(number).unwrap_or(&self.first).clone()
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        for door in &self.shards {
            door.send(Order::Stop);
        }
    }
}

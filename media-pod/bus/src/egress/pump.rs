//! Pipes that a shard reads: their bytes reach its viewers without another thread in between.

use std::{
    cell::{Cell, RefCell},
    fmt,
    io::Read,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use super::{Door, Order};
use crate::{Channel, RandomAccess};

/// What becomes of a pipe's bytes.
pub trait Pump: Send {
    /// Reads `pipe` once and publishes; never blocks. `closed`: nobody will write any more.
    fn read(&mut self, pipe: &mut dyn Read, closed: bool) -> Flow;
}

/// What a read said of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// There may be more.
    More,
    /// The pipe was empty.
    Empty,
    /// That was the end; the pump is dropped.
    Over,
}

/// A pump at work. Dropping this ends it.
pub struct Pumping {
    pub(crate) door: Arc<Door>,
    pub(crate) number: u64,
    pub(crate) shard: usize,
    pub(crate) channels: Mutex<Vec<Arc<Channel>>>,
}

impl fmt::Debug for Pumping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pumping({} on shard {})", self.number, self.shard)
    }
}

impl Pumping {
    /// It publishes on these channels from now on: their first viewers are served where it is read.
    pub fn publishes_on(&self, channels: &[Arc<Channel>]) {
        let mut known = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in known.iter().filter(|one| !channels.iter().any(|other| Arc::ptr_eq(one, other))) {
            gone.read_by.store(0, Ordering::Relaxed);
        }
        for channel in channels {
            channel.read_by.store(self.shard + 1, Ordering::Relaxed);
        }
        *known = channels.to_vec();
    }
}

impl Drop for Pumping {
    fn drop(&mut self) {
        self.publishes_on(&[]);
        self.door.send(Order::Unpump(self.number));
    }
}

thread_local! {
    /// The address of the door of the shard that runs on this thread; 0 elsewhere.
    static HERE: Cell<usize> = const { Cell::new(0) };
    /// What this shard drops when it has sent everything.
    static LATER: RefCell<Vec<Arc<RandomAccess>>> = const { RefCell::new(Vec::new()) };
}

/// This thread is the shard behind `door` from now on: it need not wake itself.
pub(crate) fn be_at_home(door: &Arc<Door>) {
    HERE.set(Arc::as_ptr(door) as usize);
}

/// Whether this thread is the shard behind `door`.
pub(crate) fn at_home(door: &Door) -> bool {
    HERE.get() == std::ptr::from_ref(door) as usize
}

/// Drops what is no longer cached: on a shard once its viewers have what came, elsewhere at once.
pub(crate) fn drop_later(what: Option<Arc<RandomAccess>>) {
    if let Some(what) = what
        && HERE.get() != 0
    {
        LATER.with_borrow_mut(|later| later.push(what));
    }
}

/// Drops what was put off.
pub(crate) fn drop_now() {
    drop(LATER.take());
}

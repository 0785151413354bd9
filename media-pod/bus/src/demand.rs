//! What readers want of a publisher that could run faster than real time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::sync::{AtomicU64, Ordering};

/// A reader that stands still for this long no longer holds others back.
const STANDSTILL: Duration = Duration::from_secs(3);

/// A time that was long ago.
const NEVER: u64 = u64::MAX;

/// How far one command has read.
#[derive(Debug)]
pub(crate) struct Progress {
    offset: AtomicU64,
    created: Instant,
    /// Milliseconds since `created`.
    moved: AtomicU64,
}

impl Progress {
    pub fn new(offset: u64) -> Self {
        Self { offset: AtomicU64::new(offset), created: Instant::now(), moved: AtomicU64::new(0) }
    }

    pub fn reach(&self, offset: u64) {
        self.offset.store(offset, Ordering::Relaxed);
        self.moved.store(self.created.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn moves(&self) -> bool {
        let moved = self.moved.load(Ordering::Relaxed);
        moved != NEVER && self.created.elapsed() < STANDSTILL + Duration::from_millis(moved)
    }
}

#[derive(Debug)]
pub(crate) struct Demand {
    commands: Mutex<Vec<Arc<Progress>>>,
    /// The furthest that any viewer was sent everything up to.
    viewers: AtomicU64,
}

impl Demand {
    pub fn new() -> Self {
        Self { commands: Mutex::new(Vec::new()), viewers: AtomicU64::new(0) }
    }

    pub fn add(&self, progress: Arc<Progress>) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
    }

    pub fn remove(&self, progress: &Arc<Progress>) {
        self.commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|other| !Arc::ptr_eq(other, progress));
    }

    pub fn viewer_reached(&self, offset: u64) {
        self.viewers.fetch_max(offset, Ordering::Relaxed);
    }

    /// As if nobody had moved for long.
    #[cfg(all(test, not(loom)))]
    pub fn forget_motion(&self) {
        for command in self.commands.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            command.moved.store(NEVER, Ordering::Relaxed);
        }
    }

    /// See [`crate::Channel::has_room`]. Not on the publishing path: only publishers without a clock of their own ask.
    pub fn has_room(&self, edge: u64, window: u64, viewed: bool) -> Option<bool> {
        let near = |reached: u64| edge.saturating_sub(reached) < window;
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waits_for_more = false;
        for command in commands.iter() {
            if near(command.offset.load(Ordering::Relaxed)) {
                // Also if it has not moved for long: there was nothing to read.
                waits_for_more = true;
            } else if command.moves() {
                return Some(false);
            }
        }
        if waits_for_more {
            return Some(true);
        }
        viewed.then(|| near(self.viewers.load(Ordering::Relaxed)))
    }
}

//! Who is woken by a publish: relays (egress shards, muxers, recorders), never single viewers.

use std::{
    fmt,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
};

use crate::sync::{AtomicBool, AtomicWaker, Latest, Mutex, Ordering};

/// Something that wants to know when a channel has news. Must not block: the publisher calls it.
pub trait Relay: Send + Sync {
    /// There is something new on the channel.
    fn wake(&self);
}

/// The relays of a channel. Publishing reads the list without a lock; coming and going is rare and copies it.
pub(crate) struct Relays {
    list: Latest<Vec<Arc<dyn Relay>>>,
    changing: Mutex<()>,
}

impl Relays {
    pub fn new() -> Self {
        Self { list: Latest::new(None), changing: Mutex::new(()) }
    }

    pub fn wake_all(&self) {
        if let Some(list) = self.list.get() {
            for relay in list.iter() {
                relay.wake();
            }
        }
    }

    pub fn add(&self, relay: Arc<dyn Relay>) {
        self.change(|list| list.push(relay));
    }

    pub fn remove(&self, relay: &Arc<dyn Relay>) {
        self.change(|list| list.retain(|other| !Arc::ptr_eq(other, relay)));
    }

    fn change(&self, edit: impl FnOnce(&mut Vec<Arc<dyn Relay>>)) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = self.list.get().map(|list| list.to_vec()).unwrap_or_default();
        edit(&mut list);
        self.list.set((!list.is_empty()).then(|| Arc::new(list)));
    }
}

impl fmt::Debug for Relays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relays({})", self.list.get().map_or(0, |list| list.len()))
    }
}

/// One wake-up for any number of publishes between two looks at the channel.
///
/// The order is what matters: the publisher links the chunk and then sets the flag; the relay clears the flag and
/// then looks at the chain. So a chunk is either seen by the look, or its flag brings another one.
#[derive(Debug)]
pub(crate) struct Dirty(AtomicBool);

impl Dirty {
    pub fn new() -> Self {
        Self(AtomicBool::new(false))
    }
    /// True for the first one since the last [`Self::clear`]: it has to wake.
    pub fn mark(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
    /// To be called before looking at the channel.
    pub fn clear(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }
}

/// A relay that is a task.
#[derive(Debug)]
pub(crate) struct TaskRelay {
    dirty: Dirty,
    waker: AtomicWaker,
}

impl Default for TaskRelay {
    fn default() -> Self {
        Self { dirty: Dirty::new(), waker: AtomicWaker::new() }
    }
}

impl Relay for TaskRelay {
    fn wake(&self) {
        self.notify();
    }
}

impl TaskRelay {
    /// Wakes the task. False: it has not looked since it was woken last.
    pub fn notify(&self) -> bool {
        let first = self.dirty.mark();
        if first {
            self.waker.wake();
        }
        first
    }

    /// Looks, and if there was nothing, waits for the next wake-up: `look` is tried again after registering, so
    /// that nothing published in between is lost.
    pub fn poll_look<T>(&self, cx: &mut Context<'_>, mut look: impl FnMut() -> Option<T>) -> Poll<T> {
        if let Some(seen) = look() {
            return Poll::Ready(seen);
        }
        self.waker.register(cx.waker());
        self.dirty.clear();
        look().map_or(Poll::Pending, Poll::Ready)
    }
}

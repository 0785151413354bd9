//! Whether this process leads, for everybody in it to ask before each write.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// Whether and until when this process leads.
#[derive(Debug)]
pub struct Term {
    clock: Instant,
    /// By `clock`, in milliseconds; 0 for never.
    until: AtomicU64,
    leads: watch::Sender<bool>,
}

impl Default for Term {
    fn default() -> Self {
        Self { clock: Instant::now(), until: AtomicU64::new(0), leads: watch::Sender::new(false) }
    }
}

impl Term {
    /// The time by its clock.
    pub fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Whether it leads.
    pub fn leads(&self) -> bool {
        (self.now().as_millis() as u64) < self.until.load(Ordering::Acquire)
    }

    /// Tells when that changes: true is the beginning of a term.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.leads.subscribe()
    }

    pub(crate) fn prolong(&self, until: Option<Duration>) {
        self.until.store(until.map_or(0, |until| until.as_millis() as u64), Ordering::Release);
        self.leads.send_if_modified(|leads| std::mem::replace(leads, until.is_some()) != until.is_some());
    }
}

//! How much memory the cache has, and uses.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// One that is kept may have this share of all there is.
const SHARE: u64 = 8;

/// Bytes that may be used, and that are: by what is kept, by what is being fetched, and by what is kept no more but
/// still sent to somebody.
#[derive(Debug, Default)]
pub(super) struct Memory {
    limit: AtomicU64,
    used: AtomicU64,
}

impl Memory {
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit: AtomicU64::new(limit), used: AtomicU64::new(0) })
    }

    /// Bytes that there may be.
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes that are used.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that one may have.
    pub fn largest(&self) -> u64 {
        self.limit() / SHARE
    }

    /// Bytes for what is kept; the rest is for what comes and goes.
    pub fn kept(limit: u64) -> u64 {
        limit / 4 * 3
    }

    /// Takes `bytes` until what is given is dropped; none where there is no room for them.
    pub fn take(self: &Arc<Self>, bytes: u64) -> Option<Held> {
        if bytes > self.largest() {
            return None;
        }
        let limit = self.limit();
        let room = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).ok()?;
        Some(Held { memory: self.clone(), bytes })
    }
}

/// Bytes that are used until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Held {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_never_more_than_the_limit_and_one_has_an_eighth() {
        let memory = Memory::new(800);
        assert!(memory.take(101).is_none());
        let mut held: Vec<Held> = (0..8).filter_map(|_| memory.take(100)).collect();
        assert_eq!((held.len(), memory.used()), (8, 800));
        assert!(memory.take(1).is_none());
        held.pop();
        assert_eq!((memory.used(), memory.take(100).is_some()), (700, true));
        memory.set_limit(0);
        assert!(memory.take(1).is_none());
        held.clear();
        assert_eq!(memory.used(), 0);
    }
}

//! The atomics of the publishing path, by std or by loom (`--cfg loom`).

use std::sync::Arc;

#[cfg(not(loom))]
pub use atomic_waker::AtomicWaker;
#[cfg(loom)]
pub use loom::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
#[cfg(not(loom))]
pub use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// A pointer that is set once: the link from a chunk to the next one.
#[cfg(not(loom))]
#[derive(Debug)]
pub struct Link<T>(std::sync::OnceLock<Arc<T>>);

#[cfg(not(loom))]
impl<T> Link<T> {
    pub fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }
    pub fn get(&self) -> Option<Arc<T>> {
        self.0.get().cloned()
    }
    pub fn set(&self, next: Arc<T>) {
        let first = self.0.set(next).is_ok();
        debug_assert!(first, "a link is set by the one publisher, once");
    }
    pub fn take(&mut self) -> Option<Arc<T>> {
        self.0.take()
    }
}

/// A pointer to the newest of something, read without a lock.
#[cfg(not(loom))]
#[derive(Debug)]
pub struct Latest<T>(arc_swap::ArcSwapOption<T>);

#[cfg(not(loom))]
impl<T> Latest<T> {
    pub fn new(value: Option<Arc<T>>) -> Self {
        Self(arc_swap::ArcSwapOption::new(value))
    }
    pub fn get(&self) -> Option<Arc<T>> {
        self.0.load_full()
    }
    pub fn set(&self, value: Option<Arc<T>>) {
        self.0.store(value);
    }
}

// loom has none of the three. `OnceLock` is a flag, released when the value is there.
#[cfg(loom)]
#[derive(Debug)]
pub struct Link<T> {
    there: AtomicBool,
    value: std::sync::OnceLock<Arc<T>>,
}

#[cfg(loom)]
impl<T> Link<T> {
    pub fn new() -> Self {
        Self { there: AtomicBool::new(false), value: std::sync::OnceLock::new() }
    }
    pub fn get(&self) -> Option<Arc<T>> {
        self.there.load(Ordering::Acquire).then(|| self.value.get().cloned()).flatten()
    }
    pub fn set(&self, next: Arc<T>) {
        let first = self.value.set(next).is_ok();
        debug_assert!(first, "a link is set by the one publisher, once");
        self.there.store(true, Ordering::Release);
    }
    pub fn take(&mut self) -> Option<Arc<T>> {
        self.value.take()
    }
}

// `arc-swap` loads and swaps its pointer with `SeqCst`: a mutex orders neither more nor less.

#[cfg(loom)]
#[derive(Debug)]
pub struct Latest<T>(Mutex<Option<Arc<T>>>);

#[cfg(loom)]
impl<T> Latest<T> {
    pub fn new(value: Option<Arc<T>>) -> Self {
        Self(Mutex::new(value))
    }
    pub fn get(&self) -> Option<Arc<T>> {
        self.0.lock().ok()?.clone()
    }
    pub fn set(&self, value: Option<Arc<T>>) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = value;
        }
    }
}

#[cfg(loom)]
#[derive(Debug)]
pub struct AtomicWaker(Mutex<Option<std::task::Waker>>);

#[cfg(loom)]
impl AtomicWaker {
    pub fn new() -> Self {
        Self(Mutex::new(None))
    }
    pub fn register(&self, waker: &std::task::Waker) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = Some(waker.clone());
        }
    }
    pub fn wake(&self) {
        let waker = self.0.lock().ok().and_then(|mut slot| slot.take());
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

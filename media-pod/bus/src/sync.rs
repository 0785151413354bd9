//! The atomics of the publishing path, by std or by loom (`--cfg loom`).

use std::sync::Arc;

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    pub fn is_some(&self) -> bool {
        self.0.load().is_some()
    }
}

// loom has neither: a mutex around the value stands for one atomic read or write of it.
#[cfg(loom)]
#[derive(Debug)]
pub struct Link<T>(loom::sync::Mutex<Option<Arc<T>>>);

#[cfg(loom)]
impl<T> Link<T> {
    pub fn new() -> Self {
        Self(loom::sync::Mutex::new(None))
    }
    pub fn get(&self) -> Option<Arc<T>> {
        self.0.lock().ok()?.clone()
    }
    pub fn set(&self, next: Arc<T>) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = Some(next);
        }
    }
    pub fn take(&mut self) -> Option<Arc<T>> {
        self.0.lock().ok()?.take()
    }
}

#[cfg(loom)]
#[derive(Debug)]
pub struct Latest<T>(loom::sync::Mutex<Option<Arc<T>>>);

#[cfg(loom)]
impl<T> Latest<T> {
    pub fn new(value: Option<Arc<T>>) -> Self {
        Self(loom::sync::Mutex::new(value))
    }
    pub fn get(&self) -> Option<Arc<T>> {
        self.0.lock().ok()?.clone()
    }
    pub fn set(&self, value: Option<Arc<T>>) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = value;
        }
    }
    pub fn is_some(&self) -> bool {
        self.get().is_some()
    }
}

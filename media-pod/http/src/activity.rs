//! Whether anything is going on on a connection of hyper's.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

#[derive(Debug)]
pub(crate) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    running: usize,
    since: Instant,
}

impl Activity {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { running: 0, since: Instant::now() })))
    }

    /// Something is going on until what is given is dropped.
    pub fn begin(self: &Arc<Self>) -> Busy {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).running += 1;
        Busy(self.clone())
    }

    /// For how long nothing has been going on; zero while something is.
    pub fn idle(&self) -> Duration {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.running > 0 { Duration::ZERO } else { state.since.elapsed() }
    }
}

/// See [`Activity::begin`].
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = state.running.saturating_sub(1);
        state.since = Instant::now();
    }
}

//! Waiting for conditions, not for time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// What a loaded machine may take at most for anything that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `look` gives something; panics with `what` where it never does.
///
/// # Panics
/// After a minute.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, look)
}

/// As [`eventually`], with a bound of its own.
///
/// # Panics
/// After `patience`.
pub fn eventually_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() <= patience, "not within {patience:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

//! Waiting for conditions.

use std::{
    thread,
    time::{Duration, Instant},
};

/// What a loaded machine may take for anything: three minutes.
pub const LONG: Duration = Duration::from_mins(3);

/// Looks ten times a second until there is something to be seen; panics with `what` where there never is.
pub fn await_condition<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    await_within(LONG, what, look).0
}

/// As [`await_condition`], with a bound of its own; also says how long it took.
pub fn await_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> (T, Duration) {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return (seen, began.elapsed());
        }
        assert!(began.elapsed() <= patience, "not within {patience:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

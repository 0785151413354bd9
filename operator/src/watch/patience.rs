//! How long a watch waits after a fault: short enough that a missing CRD is noticed soon after it was installed.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use kube::runtime::utils::Backoff;

const FIRST: Duration = Duration::from_millis(250);
const LAST: Duration = Duration::from_secs(4);

/// Doubles from a quarter of a second to four, each a little different, so that watches do not come all at once.
#[derive(Debug)]
pub struct Patience {
    next: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next;
        self.next = (wait * 2).min(LAST);
        let quarter = wait.as_millis() as u64 / 4;
        let random = RandomState::new().hash_one(0);
        Some(wait.saturating_sub(Duration::from_millis(random % quarter.max(1))))
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {
        self.next = FIRST;
    }
}

//! How long to wait before the next try.

use std::time::Duration;

/// Doubles with each failure, with up to a quarter of it at random, so that many who lost the same peer do not come
/// back at once.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// After `first`, at most `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// A try failed: how long to wait.
    pub fn failed(&mut self) -> Duration {
        let wait = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let mut random = [0; 1];
        // Without randomness it is still a wait.
        let _ = aws_lc_rs::rand::fill(&mut random);
        wait.saturating_sub(wait / 4 * u32::from(random[0]) / 255)
    }

    /// A try succeeded.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

impl Default for Backoff {
    /// 100 ms to 5 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(5))
    }
}

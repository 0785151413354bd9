//! When to start again what ended, and how much to say about it. Pure.

use std::time::Duration;

/// A run that lasted this long, or gave something, was no failure: the next one starts at once.
const GOOD_RUN: Duration = Duration::from_secs(1);
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// Counts failures in a row: the first restart is immediate, then the wait doubles up to two seconds, for ever.
#[derive(Debug, Default)]
pub struct Retry {
    failures: u32,
}

/// What to say of a run that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// The whole story, with the last lines of stderr.
    All,
    /// Nothing: it was said before.
    Nothing,
    /// That it has failed this many times in a row by now.
    Count(u32),
}

impl Retry {
    /// A run ended after `ran`; `gave` says whether it gave any bytes. How long to wait, and what to say.
    pub fn ended(&mut self, ran: Duration, gave: bool) -> (Duration, Say) {
        if gave || ran >= GOOD_RUN {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let delay = match self.failures {
            1 => Duration::ZERO,
            n => FIRST_DELAY.saturating_mul(1 << (n - 2).min(10)).min(LONGEST_DELAY),
        };
        let say = match self.failures {
            1..=3 => Say::All,
            n if n.is_power_of_two() || n.is_multiple_of(1000) => Say::Count(n),
            _ => Say::Nothing,
        };
        (delay, say)
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// What runs is another thing now.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_immediate_and_the_wait_is_bounded() {
        let mut retry = Retry::default();
        let instantly = Duration::from_millis(3);
        assert_eq!(retry.ended(instantly, false), (Duration::ZERO, Say::All));
        assert_eq!(retry.ended(instantly, false).0, FIRST_DELAY);
        assert_eq!(retry.ended(instantly, false).0, FIRST_DELAY * 2);
        for _ in 0..100_000 {
            assert!(retry.ended(instantly, false).0 <= LONGEST_DELAY);
        }
    }

    #[test]
    fn a_run_that_gave_something_starts_the_count_anew() {
        let mut retry = Retry::default();
        for _ in 0..10 {
            retry.ended(Duration::ZERO, false);
        }
        assert_eq!(retry.ended(Duration::ZERO, true), (Duration::ZERO, Say::All));
        assert_eq!(retry.ended(Duration::from_secs(5), false).0, Duration::ZERO);
    }

    #[test]
    fn a_million_failures_say_little() {
        let mut retry = Retry::default();
        let said = (0..1_000_000).filter(|_| retry.ended(Duration::ZERO, false).1 != Say::Nothing).count();
        assert!(said < 1100, "{said}");
    }
}

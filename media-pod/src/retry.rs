//! When to start again what ended, and how much to say about it. Pure.

use std::time::{Duration, Instant};

/// A run that gave something and lasted this long was no failure: the next one starts at once.
const GOOD_RUN: Duration = Duration::from_secs(1);
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// Between starts of what gives nothing.
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// Between starts of what gives something, and ends within the second.
const LONGEST_DELAY_IF_GIVING: Duration = Duration::from_millis(100);
/// After this long without an end the next one is told in full again.
const FORGOTTEN: Duration = Duration::from_mins(1);

/// Counts ends in a row: the first restart is immediate, then the wait between two starts doubles up to two seconds,
/// for ever.
#[derive(Debug, Default)]
pub struct Retry {
    /// Runs that were too short, or gave nothing.
    failures: u32,
    /// Of those the ones since the last byte.
    barren: u32,
    /// Ends that were not a minute apart.
    ends: u32,
    last: Option<Instant>,
}

/// What to say of a run that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// The whole story, with the last lines of stderr.
    All,
    /// Nothing: it was said before.
    Nothing,
    /// That it has ended this many times by now.
    Count(u32),
}

impl Retry {
    /// A run ended `now`, after `ran`; `gave` says whether it gave any bytes. How long to wait, and what to say.
    pub fn ended(&mut self, now: Instant, ran: Duration, gave: bool) -> (Duration, Say) {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) > FORGOTTEN) {
            self.ends = 0;
        }
        self.last = Some(now);
        self.ends = self.ends.saturating_add(1);
        if gave && ran >= GOOD_RUN {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.barren = if gave { 0 } else { self.barren.saturating_add(1) };
        let longest = if gave { LONGEST_DELAY_IF_GIVING } else { LONGEST_DELAY };
        let between = match self.failures {
            1 => Duration::ZERO,
            n => FIRST_DELAY.saturating_mul(1 << (n - 2).min(10)).min(longest),
        };
        let say = match self.ends {
            1..=3 => Say::All,
            n if n.is_power_of_two() || n.is_multiple_of(1000) => Say::Count(n),
            _ => Say::Nothing,
        };
        (between.saturating_sub(ran), say)
    }

    /// Runs in a row that gave nothing.
    pub fn barren(&self) -> u32 {
        self.barren
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANTLY: Duration = Duration::ZERO;

    #[test]
    fn the_first_restart_is_immediate_and_the_wait_is_bounded() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        assert_eq!(retry.ended(now, INSTANTLY, false), (Duration::ZERO, Say::All));
        assert_eq!(retry.ended(now, INSTANTLY, false).0, FIRST_DELAY);
        assert_eq!(retry.ended(now, INSTANTLY, false).0, FIRST_DELAY * 2);
        for _ in 0..100_000 {
            assert!(retry.ended(now, INSTANTLY, false).0 <= LONGEST_DELAY);
        }
    }

    #[test]
    fn who_dies_after_a_good_run_is_started_again_at_once_however_often() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        for _ in 0..10 {
            retry.ended(now, INSTANTLY, false);
        }
        for _ in 0..10 {
            assert_eq!(retry.ended(now, Duration::from_secs(5), true).0, Duration::ZERO);
            assert_eq!(retry.barren(), 0);
        }
    }

    #[test]
    fn who_gives_a_little_and_ends_does_not_spin() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        let waited: Duration = (0..1000).map(|_| retry.ended(now, INSTANTLY, true).0).sum();
        assert!(waited > Duration::from_secs(90), "{waited:?}");
        assert!(retry.ended(now, INSTANTLY, true).0 <= LONGEST_DELAY_IF_GIVING);
        assert_eq!(retry.barren(), 0, "it gives something");
    }

    #[test]
    fn who_takes_long_to_fail_is_not_kept_waiting_on_top_of_it() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        for failures in 1..100 {
            assert_eq!(retry.ended(now, Duration::from_secs(5), false).0, Duration::ZERO);
            assert_eq!(retry.barren(), failures);
        }
    }

    #[test]
    fn a_million_ends_say_little_of_whatever_kind_they_are() {
        for (ran, gave) in [(INSTANTLY, false), (INSTANTLY, true), (Duration::from_secs(3), true)] {
            let (mut retry, now) = (Retry::default(), Instant::now());
            let said = (0..1_000_000).filter(|_| retry.ended(now, ran, gave).1 != Say::Nothing).count();
            assert!(said < 1100, "{said}");
        }
    }

    #[test]
    fn an_end_after_a_quiet_minute_is_told_in_full() {
        let (mut retry, mut now) = (Retry::default(), Instant::now());
        for _ in 0..5 {
            retry.ended(now, INSTANTLY, false);
        }
        assert_eq!(retry.ended(now, INSTANTLY, false).1, Say::Nothing);
        now += Duration::from_secs(61);
        assert_eq!(retry.ended(now, INSTANTLY, false).1, Say::All);
    }
}

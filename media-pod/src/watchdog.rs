//! Notices a source that is alive and gives nothing.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Without bytes for this long (or three times its longest pause so far) a feed's fallback takes over.
const GAP: Duration = Duration::from_secs(1);
/// Shorter pauses are not kept in mind.
const SHORT: Duration = Duration::from_millis(20);
/// How many longer ones are.
const RECENT: usize = 32;

/// See the module.
#[derive(Debug)]
pub struct Watchdog {
    heard: Instant,
    longest_pause: Duration,
    /// Nothing has come for unusually long.
    pub in_gap: bool,
    recent: VecDeque<Duration>,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self { heard: Instant::now(), longest_pause: Duration::ZERO, in_gap: false, recent: VecDeque::new() }
    }
}

impl Watchdog {
    /// A run began.
    pub fn began(&mut self) {
        (self.heard, self.in_gap) = (Instant::now(), false);
    }

    /// Bytes came. True: for the first time after a gap.
    pub fn heard(&mut self) -> bool {
        let now = Instant::now();
        let pause = now - self.heard;
        if !self.in_gap && pause > SHORT {
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(pause);
            self.longest_pause = self.recent.iter().max().copied().unwrap_or_default();
        }
        self.heard = now;
        std::mem::replace(&mut self.in_gap, false)
    }

    /// When bytes came last.
    pub fn last(&self) -> Instant {
        self.heard
    }

    /// When the pause will be an unusually long one; `None` while it is.
    pub fn gap_due(&self) -> Option<Instant> {
        (!self.in_gap).then(|| self.heard + GAP.max(self.longest_pause * 3))
    }

    /// Whether it is one now, and was not before.
    pub fn note_gap(&mut self, now: Instant) -> bool {
        let gap = self.gap_due().is_some_and(|due| due <= now);
        self.in_gap |= gap;
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_often_pauses_may_pause_longer() {
        let mut watchdog = Watchdog::default();
        let start = watchdog.last();
        assert_eq!(watchdog.gap_due(), Some(start + GAP));
        watchdog.heard = start.checked_sub(Duration::from_secs(2)).unwrap();
        assert!(!watchdog.heard());
        assert!(watchdog.gap_due().unwrap() >= watchdog.last() + Duration::from_secs(6));
    }

    #[test]
    fn a_gap_is_noted_once_and_over_with_the_next_bytes() {
        let mut watchdog = Watchdog::default();
        let later = watchdog.last() + GAP;
        assert!(!watchdog.note_gap(watchdog.last()));
        assert!(watchdog.note_gap(later));
        assert!(!watchdog.note_gap(later));
        assert_eq!(watchdog.gap_due(), None);
        assert!(watchdog.heard());
        assert!(!watchdog.heard());
    }
}

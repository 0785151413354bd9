//! Notices a source that is alive and gives nothing.

use std::{
    collections::VecDeque,
    future,
    time::{Duration, Instant},
};

use tokio::time;

/// Without bytes for this long (or three times its longest pause so far) a feed's fallback takes over.
const GAP: Duration = Duration::from_secs(1);

/// See the module.
pub struct Watchdog {
    pub silence: Duration,
    heard: Instant,
    longest_pause: Duration,
    pub in_gap: bool,
    recent: VecDeque<Duration>,
    /// The source was started, or could not be, at least once.
    pub tried: bool,
}

impl Watchdog {
    pub fn new(silence: Duration) -> Self {
        Self {
            silence,
            heard: Instant::now(),
            longest_pause: Duration::ZERO,
            in_gap: false,
            recent: VecDeque::new(),
            tried: false,
        }
    }

    pub fn began(&mut self) {
        (self.heard, self.in_gap, self.tried) = (Instant::now(), false, true);
    }

    pub fn heard(&mut self) {
        let now = Instant::now();
        let pause = now - self.heard;
        if !self.in_gap && pause > Duration::from_millis(20) {
            if self.recent.len() == 32 {
                self.recent.pop_front();
            }
            self.recent.push_back(pause);
            self.longest_pause = self.recent.iter().max().copied().unwrap_or_default();
        }
        (self.heard, self.in_gap) = (now, false);
    }

    pub fn gap_seen(&mut self) {
        self.in_gap = true;
    }

    pub async fn gap(&self) {
        if self.in_gap {
            future::pending::<()>().await;
        }
        time::sleep_until((self.heard + GAP.max(self.longest_pause * 3)).into()).await;
    }

    pub async fn silent(&self) {
        if self.silence.is_zero() {
            future::pending::<()>().await;
        }
        time::sleep_until((self.heard + self.silence).into()).await;
    }
}

//! Events of which there may be any number, logged as a few lines.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// At most one line in this time.
pub(crate) const EVERY: Duration = Duration::from_secs(10);
/// Bytes of a detail that are kept.
const DETAIL: usize = 120;

/// Something that happens often: the first is logged at once, those that follow together.
#[derive(Debug)]
pub(crate) struct Summary(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    quiet_until: Option<Instant>,
    /// Since the last line.
    count: u64,
    last: Option<SocketAddr>,
    detail: String,
}

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub count: u64,
    pub peer: SocketAddr,
    pub detail: String,
}

impl Summary {
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    /// It happened. Gives a line where it is time for one.
    pub fn add(&self, peer: SocketAddr, detail: &str, now: Instant) -> Option<Line> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        state.last = Some(peer);
        let mut end = detail.len().min(DETAIL);
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        state.detail.clear();
        state.detail.push_str(detail.get(..end).unwrap_or_default());
        state.line(now)
    }

    /// To be called now and then: gives what was held back.
    pub fn look(&self, now: Instant) -> Option<Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).line(now)
    }
}

impl State {
    fn line(&mut self, now: Instant) -> Option<Line> {
        if self.count == 0 || self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        self.quiet_until = Some(now + EVERY);
        let count = std::mem::take(&mut self.count);
        Some(Line { count, peer: self.last?, detail: self.detail.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_in_a_second_are_two_lines() {
        let summary = Summary::new();
        let peer = SocketAddr::from(([127, 0, 0, 1], 9));
        let start = Instant::now();
        let mut lines: Vec<Line> = (0..10_000)
            .filter_map(|n| summary.add(peer, &format!("/{n}{}", "é".repeat(500)), start))
            .collect();
        lines.extend([1, 2, 6].into_iter().filter_map(|n| summary.look(start + EVERY / 2 * n)));
        assert_eq!(lines.iter().map(|line| line.count).collect::<Vec<_>>(), [1, 9_999]);
        assert!(lines.iter().all(|line| line.detail.len() <= DETAIL));
    }
}

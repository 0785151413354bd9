//! Whether the other side is alive, and how far away it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::event::CloseReason;

/// Asks that may wait for their answers.
const MAX_ASKED: usize = 8;

/// Asks three times within the timeout; any packet that comes in is a sign of life.
#[derive(Debug)]
pub struct Keepalive {
    timeout: Duration,
    begin: Instant,
    heard: Instant,
    next_ask: Instant,
    asked: VecDeque<u64>,
    latency: Option<f64>,
    jitter: f64,
    last: f64,
    taken: u64,
    stuck: Option<(u64, Instant)>,
}

impl Keepalive {
    /// As if something had been heard right now.
    pub fn new(now: Instant, timeout: Duration) -> Self {
        Self {
            timeout,
            begin: now,
            heard: now,
            next_ask: now,
            asked: VecDeque::new(),
            latency: None,
            jitter: 0.0,
            last: 0.0,
            taken: 0,
            stuck: None,
        }
    }

    /// A packet came in.
    pub fn heard(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
    }

    /// How long ago that was.
    pub fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }

    /// A packet was taken to be sent.
    pub fn took(&mut self) {
        self.taken += 1;
    }

    /// The next time at which something is to be done.
    pub fn deadline(&self, handshake: bool) -> Instant {
        if handshake { self.begin + self.timeout * 2 } else { self.next_ask.min(self.heard + self.timeout) }
    }

    /// Why the link is over, if it is; `waiting`: there is something to send that nobody takes.
    pub fn verdict(&mut self, now: Instant, handshake: bool, waiting: bool) -> Option<CloseReason> {
        if handshake {
            return (now >= self.begin + self.timeout * 2).then_some(CloseReason::HandshakeTimeout);
        }
        if now >= self.heard + self.timeout {
            return Some(CloseReason::KeepaliveTimeout);
        }
        match self.stuck {
            Some((taken, since)) if waiting && taken == self.taken => {
                (now >= since + self.timeout).then_some(CloseReason::Stalled)
            }
            _ => {
                self.stuck = waiting.then_some((self.taken, now));
                None
            }
        }
    }

    /// The number to ask with, when it is time to.
    pub fn ask(&mut self, now: Instant) -> Option<u64> {
        if now < self.next_ask {
            return None;
        }
        self.next_ask = now + self.timeout / 3;
        if self.asked.len() == MAX_ASKED {
            self.asked.pop_front();
        }
        let stamp = self.stamp(now);
        self.asked.push_back(stamp);
        Some(stamp)
    }

    /// An answer came in. Those that were never asked for are ignored.
    pub fn answered(&mut self, now: Instant, stamp: u64) {
        let Some(place) = self.asked.iter().position(|asked| *asked == stamp) else { return };
        self.asked.drain(..=place);
        let trip = self.stamp(now).saturating_sub(stamp) as f64 / 1000.0;
        if let Some(latency) = &mut self.latency {
            // As RFC 3550, section 6.4.1, smooths the interarrival jitter.
            self.jitter += ((trip - self.last).abs() - self.jitter) / 16.0;
            *latency += (trip - *latency) / 8.0;
        } else {
            self.latency = Some(trip);
        }
        self.last = trip;
    }

    /// Average time there and back, milliseconds; zero before the first answer.
    pub fn latency_ms(&self) -> f64 {
        self.latency.unwrap_or(0.0)
    }

    /// How much that time varies, milliseconds.
    pub fn jitter_ms(&self) -> f64 {
        self.jitter
    }

    fn stamp(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begin).as_micros() as u64
    }
}

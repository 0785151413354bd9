//! Live rates of a channel, counted by its publisher.

use std::{
    // Counters that order nothing: no model has to see them.
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Rates and sizes of a channel, over about the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Qos {
    /// Bytes published since the channel exists.
    pub bytes_in: u64,
    /// Bits per second.
    pub bitrate: u64,
    /// Video frames (audio without video: frames or pages) per second, in thousandths.
    pub frame_rate_milli: u64,
    /// Duration of the last whole GOP, zero before there was one.
    pub gop: Duration,
    /// Bytes of the last whole GOP.
    pub gop_bytes: u64,
    /// Random access points seen.
    pub random_access_points: u64,
    /// How long ago the last bytes came; `None` before the first.
    pub silent_for: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct QosCounters {
    created: Instant,
    bytes_in: AtomicU64,
    bitrate: AtomicU64,
    frame_rate_milli: AtomicU64,
    gop_micros: AtomicU64,
    gop_bytes: AtomicU64,
    random_access_points: AtomicU64,
    /// Microseconds since `created`, plus one; 0 before the first bytes.
    last: AtomicU64,
}

impl QosCounters {
    pub fn new() -> Self {
        Self {
            created: Instant::now(),
            bytes_in: AtomicU64::new(0),
            bitrate: AtomicU64::new(0),
            frame_rate_milli: AtomicU64::new(0),
            gop_micros: AtomicU64::new(0),
            gop_bytes: AtomicU64::new(0),
            random_access_points: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }

    pub fn read(&self) -> Qos {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let silent_for = get(&self.last).checked_sub(1).map(|last| {
            Duration::from_micros((self.created.elapsed().as_micros() as u64).saturating_sub(last))
        });
        // A rate is what the publisher last counted; once it stops, nobody counts.
        let alive = silent_for.is_some_and(|silent| silent < Duration::from_secs(3));
        let rate = |counter: &AtomicU64| if alive { get(counter) } else { 0 };
        Qos {
            bytes_in: get(&self.bytes_in),
            bitrate: rate(&self.bitrate),
            frame_rate_milli: rate(&self.frame_rate_milli),
            gop: Duration::from_micros(get(&self.gop_micros)),
            gop_bytes: get(&self.gop_bytes),
            random_access_points: get(&self.random_access_points),
            silent_for,
        }
    }
}

/// The publisher's side: plain counters, of which the result is stored for readers.
#[derive(Debug)]
pub(crate) struct QosMeter {
    window_began: Instant,
    window_bytes: u64,
    window_frames: u64,
    gop_began: Option<(Instant, u64)>,
}

const WINDOW: Duration = Duration::from_secs(1);

impl QosMeter {
    pub fn new(now: Instant) -> Self {
        Self { window_began: now, window_bytes: 0, window_frames: 0, gop_began: None }
    }

    pub fn count(&mut self, to: &QosCounters, now: Instant, bytes: u64, frames: u64) {
        to.bytes_in.fetch_add(bytes, Ordering::Relaxed);
        to.last.store(now.duration_since(to.created).as_micros() as u64 + 1, Ordering::Relaxed);
        self.window_bytes += bytes;
        self.window_frames += frames;
        let elapsed = now.duration_since(self.window_began);
        if elapsed >= WINDOW {
            let per_second = |count: u64, scale: u64| {
                (u128::from(count * scale) * 1000 / elapsed.as_millis().max(1)) as u64
            };
            to.bitrate.store(per_second(self.window_bytes, 8), Ordering::Relaxed);
            to.frame_rate_milli.store(per_second(self.window_frames, 1000), Ordering::Relaxed);
            (self.window_began, self.window_bytes, self.window_frames) = (now, 0, 0);
        }
    }

    /// A random access point at channel offset `offset`, noticed at `now`.
    pub fn random_access(&mut self, to: &QosCounters, now: Instant, offset: u64) {
        to.random_access_points.fetch_add(1, Ordering::Relaxed);
        if let Some((began, from)) = self.gop_began.replace((now, offset)) {
            to.gop_micros.store(now.duration_since(began).as_micros() as u64, Ordering::Relaxed);
            to.gop_bytes.store(offset.saturating_sub(from), Ordering::Relaxed);
        }
    }

    pub fn new_generation(&mut self) {
        self.gop_began = None;
    }
}

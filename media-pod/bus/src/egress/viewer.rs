//! A viewer as others see it, and as it is handed to the egress.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::Sink;
use crate::{End, Joined};

/// Why a viewer left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It hung up, or its connection broke.
    HungUp,
    /// It took nothing for a minute.
    Stalled,
    /// The stream ended for it.
    Ended(End),
    /// It was told to go.
    Dismissed,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HungUp => "hung up",
            Self::Stalled => "read nothing for 60 s",
            Self::Ended(End::Closed) => "the stream ended",
            Self::Ended(End::NewRun) => "the encoder restarted, which this container cannot continue over",
            Self::Dismissed => "dismissed",
        })
    }
}

/// What is counted of a viewer while it is there.
#[derive(Debug)]
pub struct ViewerStats {
    pub(crate) sent: AtomicU64,
    pub(crate) lag: AtomicU64,
    pub(crate) skips: AtomicU64,
    since: Instant,
}

impl ViewerStats {
    pub(crate) fn new() -> Self {
        Self {
            sent: AtomicU64::new(0),
            lag: AtomicU64::new(0),
            skips: AtomicU64::new(0),
            since: Instant::now(),
        }
    }

    /// Bytes handed to the kernel, what was sent before the stream's own bytes included.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes between the live edge and what the viewer has acknowledged, as of the last second.
    pub fn lag(&self) -> u64 {
        self.lag.load(Ordering::Relaxed)
    }

    /// How often it was too slow and skipped to a random access point.
    pub fn skips(&self) -> u64 {
        self.skips.load(Ordering::Relaxed)
    }

    /// How long it has been there.
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

/// Called once, on the shard's thread, when a viewer has left: must not block.
pub type OnLeave = Box<dyn FnOnce(Left, &ViewerStats) + Send>;

/// A viewer to be served.
pub struct Viewer {
    /// Where its bytes go.
    pub sink: Box<dyn Sink>,
    /// Sent before anything of the stream: the response head.
    pub head: Bytes,
    /// Where in the stream it begins.
    pub joined: Joined,
    /// How long to gather writes for; zero: each chunk at once.
    pub flush: Duration,
    /// Told when it leaves.
    pub on_leave: OnLeave,
}

/// A viewer that is being served. Dropping this does not end it.
#[derive(Clone, Debug)]
pub struct ViewerHandle {
    pub(crate) stats: Arc<ViewerStats>,
}

impl ViewerHandle {
    /// Its counters.
    pub fn stats(&self) -> &Arc<ViewerStats> {
        &self.stats
    }
}

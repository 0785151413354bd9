//! How much of the newest GOP is kept for those who join.

/// The bound of the GOP cache of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GopCache {
    /// Nothing is kept: `?keyframe=last` waits like `next`.
    Off,
    /// At most this many bytes. A GOP that is larger is not kept at all.
    Bytes(u64),
    /// At most this many video frames (audio without video: frames or pages).
    Frames(u64),
}

impl Default for GopCache {
    fn default() -> Self {
        Self::Bytes(16 << 20)
    }
}

impl GopCache {
    /// Whether a GOP of this size is kept.
    pub(crate) fn holds(self, bytes: u64, frames: u64) -> bool {
        match self {
            Self::Off => false,
            Self::Bytes(most) => bytes <= most,
            Self::Frames(most) => frames <= most && bytes <= HARD_LIMIT,
        }
    }
}

/// However few the frames, no cache is larger than this.
const HARD_LIMIT: u64 = 256 << 20;

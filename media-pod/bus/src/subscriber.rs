//! A task that reads a channel: the stdin of a command, a snapshot, a fallback.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;

use crate::{
    Channel, End, Joined,
    demand::Progress,
    follow::{Follower, Parts},
    relay::{Relay, TaskRelay},
};

/// A subscriber that falls this far behind (bytes) skips to the newest random access point.
const ALLOWED: u64 = 16 << 20;
/// At most about this much is given at once, in bytes.
const BUDGET: usize = 64 << 10;

/// Reads a channel from a task. Bytes come in order, beginning and going on at unit boundaries.
pub struct Subscriber {
    channel: Arc<Channel>,
    follower: Follower,
    relay: Arc<TaskRelay>,
    registered: Arc<dyn Relay>,
    progress: Option<Arc<Progress>>,
    parts: Parts,
    skips: u64,
}

impl Subscriber {
    /// Reads from the place taken by `joined`. With `holds_back` a publisher that needs not keep real time waits
    /// for this reader.
    pub fn new(joined: Joined, holds_back: bool) -> Self {
        let Joined { channel, follower, .. } = joined;
        let relay = Arc::new(TaskRelay::default());
        let registered: Arc<dyn Relay> = relay.clone();
        channel.add_relay(registered.clone());
        let progress = holds_back.then(|| Arc::new(Progress::new(channel.offset())));
        if let Some(progress) = &progress {
            channel.demand.add(progress.clone());
        }
        Self { channel, follower, relay, registered, progress, parts: Parts::new(), skips: 0 }
    }

    /// The channel read.
    pub fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// How often bytes were skipped because this reader was too slow.
    pub fn skips(&self) -> u64 {
        self.skips
    }

    /// Begins no earlier than with what was published at `instant`. No effect once bytes came.
    pub fn not_before(&mut self, instant: Instant) {
        self.follower.not_before(instant);
    }

    /// The next bytes, at least one. Cancel safe.
    pub async fn next(&mut self) -> Result<Bytes, End> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, End>> {
        let Self { channel, follower, parts, skips, progress, relay, .. } = self;
        relay.poll_look(cx, || {
            let closed = channel.is_closed();
            let edge = channel.edge();
            *skips += u64::from(follower.skip_if_late(channel, &edge, ALLOWED).is_some());
            follower.pending(channel, u64::MAX, BUDGET, parts);
            if let Some(bytes) = parts.first() {
                let bytes = bytes.clone();
                follower.advance(bytes.len());
                if let (Some(progress), Some(offset)) = (progress.as_ref(), follower.offset()) {
                    progress.reach(offset);
                }
                return Some(Ok(bytes));
            }
            follower.ended().or(closed.then_some(End::Closed)).map(Err)
        })
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.channel.remove_relay(&self.registered);
        if let Some(progress) = &self.progress {
            self.channel.demand.remove(progress);
        }
    }
}

impl Channel {
    /// Looks at the channel at every publish until `look` gives something.
    pub async fn until<T>(self: &Arc<Self>, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let relay = Arc::new(TaskRelay::default());
        let watch = Watch { channel: self.clone(), registered: relay.clone() };
        self.add_relay(watch.registered.clone());
        poll_fn(|cx| relay.poll_look(cx, || look(self))).await
    }
}

struct Watch {
    channel: Arc<Channel>,
    registered: Arc<dyn Relay>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.channel.remove_relay(&self.registered);
    }
}

//! A task that reads a channel: the stdin of a command, a snapshot, a fallback.

use std::{
    future::poll_fn,
    sync::{Arc, PoisonError, Weak},
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;

use crate::{
    Channel, End, Joined, Piece,
    demand::Progress,
    follow::{Follower, Parts},
    node::Cursor,
    relay::{Relay, TaskRelay},
    sync::{AtomicU64, Mutex, Ordering},
};

/// A subscriber that falls this far behind (bytes) skips to the newest random access point.
const ALLOWED: u64 = 16 << 20;
/// One that does not even look is judged every so many bytes.
const JUDGED_EVERY: u64 = 64 << 10;

/// Reads a channel from a task. Bytes come in order, beginning and going on at unit boundaries.
///
/// It need not be polled: the publisher takes its place from a reader that stands still for too long.
pub struct Subscriber {
    channel: Arc<Channel>,
    seat: Arc<Seat>,
    registered: Arc<dyn Relay>,
    progress: Option<Arc<Progress>>,
    parts: Parts,
}

/// What the task and the publisher share. Only one that stands still finds the other there.
struct Seat {
    channel: Weak<Channel>,
    relay: TaskRelay,
    follower: Mutex<Follower>,
    /// Where the follower is to be looked after next, as a channel offset.
    judge_at: AtomicU64,
    skips: AtomicU64,
}

impl Relay for Seat {
    fn wake(&self) {
        if self.relay.notify() {
            return;
        }
        let Some(channel) = self.channel.upgrade() else { return };
        let edge = channel.edge();
        if edge.offset() >= self.judge_at.load(Ordering::Relaxed)
            && let Ok(mut follower) = self.follower.try_lock()
        {
            self.judge(&mut follower, &channel, &edge);
        }
    }
}

impl Seat {
    fn judge(&self, follower: &mut Follower, channel: &Channel, edge: &Cursor) {
        if follower.skip_if_late(channel, edge, ALLOWED).is_some() {
            self.skips.fetch_add(1, Ordering::Relaxed);
        }
        let behind = follower.holds_from().unwrap_or(edge.offset());
        let next = (behind + ALLOWED + 1).max(edge.offset() + JUDGED_EVERY);
        self.judge_at.store(next, Ordering::Relaxed);
    }
}

impl Subscriber {
    /// Reads from the place taken by `joined`. With `holds_back` a publisher that needs not keep real time waits
    /// for this reader.
    pub fn new(joined: Joined, holds_back: bool) -> Self {
        let Joined { channel, follower, .. } = joined;
        let seat = Arc::new(Seat {
            channel: Arc::downgrade(&channel),
            relay: TaskRelay::default(),
            follower: Mutex::new(follower),
            judge_at: AtomicU64::new(0),
            skips: AtomicU64::new(0),
        });
        let registered: Arc<dyn Relay> = seat.clone();
        channel.add_relay(registered.clone());
        let progress = holds_back.then(|| Arc::new(Progress::new(channel.offset())));
        if let Some(progress) = &progress {
            channel.demand.add(progress.clone());
        }
        Self { channel, seat, registered, progress, parts: Parts::new() }
    }

    /// The channel read.
    pub fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// How often bytes were skipped because this reader was too slow.
    pub fn skips(&self) -> u64 {
        self.seat.skips.load(Ordering::Relaxed)
    }

    /// Begins no earlier than with what was published at `instant`. No effect once bytes came.
    pub fn not_before(&mut self, instant: Instant) {
        self.seat.follower.lock().unwrap_or_else(PoisonError::into_inner).not_before(instant);
    }

    /// The next bytes, at least one. Cancel safe.
    pub async fn next(&mut self) -> Result<Bytes, End> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`], with what is known of the bytes.
    pub async fn next_piece(&mut self) -> Result<Piece, End> {
        poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// As [`Self::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, End>> {
        self.poll_piece(cx).map(|piece| piece.map(|piece| piece.bytes))
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, End>> {
        let Self { channel, seat, parts, progress, .. } = self;
        seat.relay.poll_look(cx, || {
            let mut follower = seat.follower.lock().unwrap_or_else(PoisonError::into_inner);
            let over = follower.over(channel);
            let edge = channel.edge();
            seat.judge(&mut follower, channel, &edge);
            follower.pending(channel, u64::MAX, 1, parts);
            let piece = parts.drain(..).next().map(|bytes| follower.piece(bytes));
            follower.advance(piece.as_ref().map_or(0, |piece| piece.bytes.len()));
            if let (Some(progress), Some(offset)) = (progress.as_ref(), follower.reached(edge.offset())) {
                progress.reach(offset);
            }
            piece.map(Ok).or_else(|| follower.ended().or(over.then_some(End::Closed)).map(Err))
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

//! A channel: one publisher, any number of subscribers, no lock between them.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    Format, Generation, GopCache, Header,
    demand::Demand,
    join::RandomAccess,
    node::{Cursor, Node},
    publisher::Publisher,
    qos::{Qos, QosCounters},
    relay::{Relay, Relays},
    sync::{AtomicBool, AtomicU64, Latest, Link, Ordering},
};

/// The bytes of one feed or stream, on their way from one publisher to its subscribers.
#[derive(Debug)]
pub struct Channel {
    name: Arc<str>,
    pub(crate) tail: Latest<Node>,
    pub(crate) random_access: Latest<RandomAccess>,
    pub(crate) relays: Relays,
    pub(crate) closed: AtomicBool,
    /// How often those present were sent away.
    pub(crate) dismissals: AtomicU64,
    pub(crate) published: AtomicBool,
    /// Whether the newest generation still runs.
    pub(crate) live: AtomicBool,
    pub(crate) gop_cache: Latest<GopCache>,
    pub(crate) gop_too_long: AtomicBool,
    pub(crate) qos: QosCounters,
    /// Where the demand of readers holds back what need not flow in real time.
    pub(crate) demand: Demand,
    /// Viewers of the egress shards, for choosing a shard and for the status page.
    pub(crate) viewers: AtomicUsize,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) skips: AtomicU64,
    /// The egress shard that the first viewers of this channel share, plus one; 0 before there were any.
    pub(crate) home_shard: AtomicUsize,
    /// The egress shard that reads what is published here, plus one; 0 where another thread does.
    pub(crate) read_by: AtomicUsize,
}

impl Channel {
    /// A channel that nothing has been published on. `name` is for logs and metrics.
    pub fn new(name: impl Into<Arc<str>>, gop_cache: GopCache) -> Arc<Self> {
        let generation = Arc::new(Generation::new(0, 0, 0, None));
        let first = Arc::new(Node {
            generation,
            start: 0,
            at: Instant::now(),
            bytes: Bytes::new(),
            marks: crate::Marks::default(),
            next: Link::new(),
        });
        Arc::new(Self {
            name: name.into(),
            tail: Latest::new(Some(first)),
            random_access: Latest::new(None),
            relays: Relays::new(),
            closed: AtomicBool::new(false),
            dismissals: AtomicU64::new(0),
            published: AtomicBool::new(false),
            live: AtomicBool::new(false),
            gop_cache: Latest::new(Some(Arc::new(gop_cache))),
            gop_too_long: AtomicBool::new(false),
            qos: QosCounters::new(),
            demand: Demand::new(),
            viewers: AtomicUsize::new(0),
            bytes_out: AtomicU64::new(0),
            skips: AtomicU64::new(0),
            home_shard: AtomicUsize::new(0),
            read_by: AtomicUsize::new(0),
        })
    }

    /// The name given to [`Channel::new`].
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The one publisher; `None` while another one is alive.
    pub fn publisher(self: &Arc<Self>) -> Option<Publisher> {
        let taken = self.published.swap(true, Ordering::AcqRel);
        (!taken).then(|| Publisher::new(self.clone()))
    }

    /// The newest generation.
    pub fn generation(&self) -> Arc<Generation> {
        self.tail().generation.clone()
    }

    /// What the newest generation carries, once that is known.
    pub fn format(&self) -> Option<Arc<Format>> {
        self.generation().format()
    }

    /// What a late joiner of the newest generation needs first, once that is known.
    pub fn header(&self) -> Option<Arc<Header>> {
        self.generation().header()
    }

    /// Bytes published so far.
    pub fn offset(&self) -> u64 {
        self.tail().end()
    }

    /// Nothing more will come: viewers get what is left and are closed.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.relays.wake_all();
    }

    /// Sends those away who are here now, once they have what was published; who joins later is not concerned.
    pub fn dismiss(&self) {
        self.dismissals.fetch_add(1, Ordering::AcqRel);
        self.relays.wake_all();
    }

    /// Whether [`Self::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether the last GOP was larger than the cache, so that `?keyframe=last` waits like `next`.
    pub fn gop_too_long(&self) -> bool {
        self.gop_too_long.load(Ordering::Relaxed)
    }

    /// How old the newest random access point is, if one is cached.
    pub fn random_access_age(&self) -> Option<Duration> {
        self.cached_point().map(|point| point.at.elapsed())
    }

    /// Bytes from the newest cached random access point to the live edge.
    pub fn cached_bytes(&self) -> u64 {
        self.cached_point().map_or(0, |point| self.offset().saturating_sub(point.offset))
    }

    /// Rates and sizes, live.
    pub fn qos(&self) -> Qos {
        self.qos.read()
    }

    /// Viewers that the egress shards serve.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Bytes sent to viewers, headers of the protocol not counted.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }

    /// How often a viewer or a command fell behind and skipped to a random access point.
    pub fn skips(&self) -> u64 {
        self.skips.load(Ordering::Relaxed)
    }

    /// Whether a publisher that need not keep real time (an unpaced file) may go on: every command that reads
    /// and moves is within `window` bytes of the live edge, or, where there is none, the fastest viewer is.
    /// `None` while nobody reads.
    pub fn has_room(&self, window: u64) -> Option<bool> {
        self.demand.has_room(self.offset(), window, self.viewers() > 0)
    }

    /// Whether a run is publishing.
    pub fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }

    /// Changes the bound of the GOP cache from the next chunk on.
    pub fn set_gop_cache(&self, gop_cache: GopCache) {
        self.gop_cache.set(Some(Arc::new(gop_cache)));
    }

    /// Wakes `relay` at every publish until it is removed.
    pub(crate) fn add_relay(&self, relay: Arc<dyn Relay>) {
        self.relays.add(relay);
    }

    pub(crate) fn remove_relay(&self, relay: &Arc<dyn Relay>) {
        self.relays.remove(relay);
    }

    pub(crate) fn cached_point(&self) -> Option<Arc<RandomAccess>> {
        self.random_access.get().filter(|point| point.cached)
    }

    pub(crate) fn tail(&self) -> Arc<Node> {
        // Set by `new` and only ever replaced: the fallback is unreachable, and harmless.
        self.tail.get().unwrap_or_else(|| {
            Arc::new(Node {
                generation: Arc::new(Generation::new(0, 0, 0, None)),
                start: 0,
                at: Instant::now(),
                bytes: Bytes::new(),
                marks: crate::Marks::default(),
                next: Link::new(),
            })
        })
    }

    /// The live edge.
    pub(crate) fn edge(&self) -> Cursor {
        Cursor::at_end(self.tail())
    }
}

//! Streams of other Clusters: what no member of this one has is pulled from the upstreams that the Cluster names, over one
//! session for any number of viewers here.

mod answers;
mod choice;
mod config;
mod figures;
mod find;
mod follow;
mod pulled;
mod source;
mod uplink;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use millrace_crds::resolved::Resolved;
use millrace_link::avrs::{Hop, Way};
use tokio::sync::watch;

pub(super) use self::follow::keep;
use self::{answers::Answers, config::Config, find::Flights, uplink::Uplink};
pub use self::{figures::UpstreamInfo, uplink::Reach};
use super::upstream::Upstream;
use crate::linking::Lines;

/// Streams of other Clusters at most.
const MOST: usize = 10_000;

/// A stream of another Cluster that somebody asked for.
struct Found {
    upstream: Arc<Upstream>,
    uplink: Arc<Uplink>,
    /// Through which clusters it comes.
    from: Way,
    /// Whether nobody watched it when that was looked at last.
    idle: AtomicBool,
}

/// Why a path cannot be had from upstreams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nowhere {
    /// Nobody has it.
    No(String),
    /// The question went round, or too far.
    Loop(String),
    /// Somebody may have it who cannot be asked now.
    Away(String),
}

/// See the module.
pub(super) struct Beyond {
    own: Hop,
    uplinks: ArcSwap<Vec<Arc<Uplink>>>,
    found: Mutex<HashMap<Arc<str>, Found>>,
    answers: Answers,
    flights: Flights,
    risen: watch::Sender<u64>,
    lines: Arc<Lines>,
    /// What streams that are no more sent to viewers.
    sent: AtomicU64,
    /// Questions that went round or too far, refused here.
    pub refused: AtomicU64,
}

impl Beyond {
    /// Of the cluster `own`; `lines` lists the links.
    pub fn new(own: Hop, lines: Arc<Lines>) -> Arc<Self> {
        Arc::new(Self {
            own,
            uplinks: ArcSwap::default(),
            found: Mutex::default(),
            answers: Answers::default(),
            flights: Flights::default(),
            risen: watch::Sender::new(0),
            lines,
            sent: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This cluster, on a way.
    pub fn own(&self) -> &Hop {
        &self.own
    }

    /// The Cluster names these from now on. Whatever stays as it is is not touched.
    pub fn configure(&self, resolved: &Resolved) {
        let before = self.uplinks.load_full();
        let mut configs = Config::all(resolved).into_iter().peekable();
        if before.is_empty() && configs.peek().is_none() {
            return;
        }
        let now: Vec<Arc<Uplink>> = configs
            .map(|config| {
                let same = before.iter().find(|uplink| uplink.config == config);
                same.cloned().unwrap_or_else(|| Uplink::start(config, self.lines.clone(), self.risen.clone()))
            })
            .collect();
        let gone = before.iter().filter(|old| !now.iter().any(|uplink| Arc::ptr_eq(uplink, old)));
        let gone: Vec<Arc<Uplink>> = gone.cloned().collect();
        self.uplinks.store(Arc::new(now));
        self.answers.forget();
        for uplink in gone {
            uplink.end();
        }
        self.risen.send_modify(|count| *count += 1);
    }

    /// Whether there is anybody to ask.
    pub fn any(&self) -> bool {
        !self.uplinks.load().is_empty()
    }

    /// Counts upstreams that have come up, and changes of the list.
    fn risen(&self) -> watch::Receiver<u64> {
        self.risen.subscribe()
    }

    /// Whether `path` is pulled from another Cluster, or will be when somebody watches.
    pub fn has(&self, path: &str) -> bool {
        self.lock().contains_key(path)
    }

    /// The stream at `path`, if it is of another Cluster and somebody asked for it.
    pub fn upstream(&self, path: &str) -> Option<Arc<Upstream>> {
        Some(self.lock().get(path)?.upstream.clone())
    }

    /// All of them.
    pub fn upstreams(&self) -> Vec<Arc<Upstream>> {
        self.lock().values().map(|found| found.upstream.clone()).collect()
    }

    /// Bytes that went out of streams of other Clusters.
    pub fn bytes_out(&self) -> u64 {
        let found = self.lock();
        let now: u64 = found.values().map(|found| found.upstream.channel.bytes_out()).sum();
        now + self.sent.load(Ordering::Relaxed)
    }

    /// Through which clusters `path` comes, where it is of another Cluster.
    pub fn from(&self, path: &str) -> Way {
        self.lock().get(path).map(|found| found.from.clone()).unwrap_or_default()
    }

    /// `path` is at this upstream: a stream of it is there from now on, made by `make` if there is none.
    fn put(&self, path: &str, uplink: Arc<Uplink>, make: impl FnOnce(Arc<str>) -> Arc<Upstream>) -> bool {
        let mut all = self.lock();
        if let Some(found) = all.get_mut(path) {
            found.idle.store(false, Ordering::Relaxed);
            return true;
        }
        if all.len() >= MOST {
            return false;
        }
        let path = Arc::<str>::from(path);
        let upstream = make(path.clone());
        let found = Found { upstream, uplink, from: Way::default(), idle: AtomicBool::new(false) };
        all.insert(path, found);
        true
    }

    /// The upstream that `path` was found at.
    fn found(&self, path: &str) -> Option<Arc<Uplink>> {
        let uplink = self.lock().get(path)?.uplink.clone();
        // It may have been taken out of the Cluster since.
        self.uplinks.load().iter().any(|known| Arc::ptr_eq(known, &uplink)).then_some(uplink)
    }

    /// `path` comes from `uplink`, by these clusters.
    fn comes(&self, path: &str, uplink: &Arc<Uplink>, from: Way) {
        if let Some(found) = self.lock().get_mut(path) {
            (found.uplink, found.from) = (uplink.clone(), from);
        }
    }

    /// It is no stream of another Cluster any more, but one of this.
    pub fn give(&self, path: &str) {
        self.lock().remove(path);
    }

    /// Nobody has it: its viewers are let go.
    pub fn forget(&self, path: &str) {
        let found = self.lock().remove(path);
        if let Some(Found { upstream, .. }) = found {
            tracing::info!(path, "no upstream has this stream any more");
            self.sent.fetch_add(upstream.channel.bytes_out(), Ordering::Relaxed);
            upstream.close();
        }
    }

    /// Forgets what nobody has watched since this was called last.
    pub fn expire(&self) {
        let mut all = self.lock();
        let idle = all.extract_if(|_, found| {
            let watched = found.upstream.demand.holds() > 0 || *found.upstream.flowing.borrow();
            found.idle.swap(!watched, Ordering::Relaxed) && !watched
        });
        let idle: Vec<Found> = idle.map(|(_, found)| found).collect();
        drop(all);
        for Found { upstream, .. } in idle {
            self.sent.fetch_add(upstream.channel.bytes_out(), Ordering::Relaxed);
            upstream.close();
        }
    }
}

//! What all feeds and streams share: the runner of commands, and the way to each other.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, OnceLock, atomic::AtomicU64},
};

use arc_swap::ArcSwap;
use millrace_bus::egress::Egress;
use millrace_report::message::Directory;

use crate::{drain::Draining, edge::Edge, feed::Feed, linking::Lines, runners::Runners, stream::Stream};

/// Feeds by name.
pub type Feeds = HashMap<String, Arc<Feed>>;
/// Streams by name.
pub type Streams = HashMap<String, Arc<Stream>>;

/// See the module.
#[derive(Debug)]
pub struct Shop {
    /// Runs commands.
    pub runners: Runners,
    /// Reads their output, and sends to viewers.
    pub egress: Arc<Egress>,
    /// All feeds, by name.
    pub feeds: ArcSwap<Feeds>,
    /// All streams, by name.
    pub streams: ArcSwap<Streams>,
    /// Where the streams and feeds of the Cluster's other media pods are; empty alone.
    pub directory: ArcSwap<Directory>,
    /// What server pods have, where this is a balancer.
    pub edge: OnceLock<Arc<Edge>>,
    /// Links to balancers, to look at.
    pub lines: Arc<Lines>,
    /// Where files are whose path is relative.
    pub media: PathBuf,
    /// It is about to end: nothing new should come.
    pub draining: Draining,
    /// Pictures decoded for snapshots so far.
    pub snapshots_decoded: AtomicU64,
}

impl Shop {
    /// Without any feed or stream yet.
    pub fn new(runners: Runners, egress: Arc<Egress>, media: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            runners,
            egress,
            feeds: ArcSwap::from_pointee(Feeds::new()),
            streams: ArcSwap::from_pointee(Streams::new()),
            directory: ArcSwap::default(),
            edge: OnceLock::new(),
            lines: Arc::default(),
            media,
            draining: Draining::default(),
            snapshots_decoded: AtomicU64::new(0),
        })
    }

    /// Whether it is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.is_on()
    }

    /// The feed of that name.
    pub fn feed(&self, name: &str) -> Option<Arc<Feed>> {
        self.feeds.load().get(name).cloned()
    }
}

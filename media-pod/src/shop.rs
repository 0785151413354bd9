//! What all feeds and streams share: the runner of commands, and the way to each other.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use millrace_bus::egress::Egress;
use millrace_exec::Agent;

use crate::{feed::Feed, stream::Stream};

/// Feeds by name.
pub type Feeds = HashMap<String, Arc<Feed>>;
/// Streams by name.
pub type Streams = HashMap<String, Arc<Stream>>;

/// See the module.
#[derive(Debug)]
pub struct Shop {
    /// Runs commands.
    pub agent: Agent,
    /// Reads their output, and sends to viewers.
    pub egress: Arc<Egress>,
    /// All feeds, by name.
    pub feeds: ArcSwap<Feeds>,
    /// All streams, by name.
    pub streams: ArcSwap<Streams>,
    /// Pictures decoded for snapshots so far.
    pub snapshots_decoded: std::sync::atomic::AtomicU64,
}

impl Shop {
    /// Without any feed or stream yet.
    pub fn new(agent: Agent, egress: Arc<Egress>) -> Arc<Self> {
        Arc::new(Self {
            agent,
            egress,
            feeds: ArcSwap::from_pointee(Feeds::new()),
            streams: ArcSwap::from_pointee(Streams::new()),
            snapshots_decoded: std::sync::atomic::AtomicU64::new(0),
        })
    }

    /// The feed of that name.
    pub fn feed(&self, name: &str) -> Option<Arc<Feed>> {
        self.feeds.load().get(name).cloned()
    }
}

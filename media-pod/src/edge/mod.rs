//! A balancer: it serves what server pods have, over one session per watched stream, to any number of viewers.

mod admission;
mod ask;
mod balancing;
mod beyond;
mod cache;
mod follow;
mod handshakes;
mod links;
mod metrics;
mod overlap;
mod publish;
mod registry;
mod session;
mod site;
mod source;
mod splice;
mod status;
mod succession;
mod upstream;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use clap::Args;
use millrace_crds::resolved::Resolved;
use millrace_http::EdgeCache;
use millrace_link::{Role, avrs::Hop};
use tokio::{net::TcpListener, task::JoinSet};

pub use self::beyond::{Reach, UpstreamInfo};
use self::{
    admission::{Others, Settings},
    ask::Answers,
    beyond::Beyond,
    registry::Registry,
};
use crate::linking::{Identity, Lines, LinkFiles};

/// Links from server pods.
#[derive(Clone, Debug, Args)]
#[group(id = "edge")]
pub struct Options {
    /// Listen here for links from server pods.
    #[arg(long, value_name = "ADDRESS", required = true)]
    pub link: Vec<SocketAddr>,
    /// What this member needs for that.
    #[command(flatten)]
    pub files: LinkFiles,
}

/// What no server pod has announced by then, nobody has.
const UNHEARD: Duration = Duration::from_secs(10);

/// See the module.
pub struct Edge {
    identity: Arc<Identity>,
    registry: Registry,
    /// What other Clusters have.
    beyond: Arc<Beyond>,
    answers: Answers,
    /// What is below streams.
    cache: Arc<EdgeCache>,
    counts: Counts,
    settings: ArcSwap<Settings>,
    others: Others,
    /// Its links, to look at.
    pub lines: Arc<Lines>,
    /// Viewers now.
    seats: AtomicUsize,
    /// What goes out to them, in bits per second.
    rate: AtomicU64,
    started: Instant,
}

/// What was counted.
#[derive(Debug, Default)]
struct Counts {
    bytes_in: AtomicU64,
    packets_in: AtomicU64,
    sessions: AtomicU64,
    session_failures: AtomicU64,
    generations: AtomicU64,
    refused: [AtomicU64; 5],
    announcements_refused: AtomicU64,
    handshakes_failed: AtomicU64,
    fences_refused: AtomicU64,
    asked: AtomicU64,
    turned_away: AtomicU64,
    redirected: AtomicU64,
    /// Now.
    publishers: AtomicU64,
    publish_sessions: AtomicU64,
    published: AtomicU64,
    publish_dropped: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Edge {
    /// Listens for links as `options` say, until the tasks are dropped. `own` is the name of this pod, where it has one;
    /// `here` what its Cluster is for others.
    pub async fn start(
        options: &Options,
        own: Option<String>,
        here: Hop,
        resolved: &Resolved,
    ) -> anyhow::Result<(Arc<Self>, JoinSet<()>)> {
        let identity = Identity::read(&options.files, Role::BALANCER, "")?;
        let lines = Arc::<Lines>::default();
        let edge = Arc::new(Self {
            identity: identity.clone(),
            registry: Registry::default(),
            beyond: Beyond::new(here, lines.clone()),
            answers: Answers::default(),
            cache: EdgeCache::new(cache::limit(&resolved.cluster)),
            counts: Counts::default(),
            settings: ArcSwap::from_pointee((&resolved.cluster).into()),
            others: Others::new(own),
            lines,
            seats: AtomicUsize::new(0),
            rate: AtomicU64::new(0),
            started: Instant::now(),
        });
        edge.beyond.configure(resolved);
        let mut tasks = JoinSet::new();
        for address in &options.link {
            let listener = TcpListener::bind(address).await.with_context(|| format!("--link {address}"))?;
            tracing::info!(key = %identity.key().id(), "listening link={}", listener.local_addr()?);
            tasks.spawn(links::accept(edge.clone(), listener));
        }
        tasks.spawn(identity.follow());
        tasks.spawn(edge.clone().expire());
        tasks.spawn(edge.clone().measure());
        Ok((edge, tasks))
    }

    /// Forgets what nobody has had for too long, for ever.
    async fn expire(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_mins(1)).await;
            self.registry.expire();
            self.beyond.expire();
        }
    }

    /// Viewers now.
    pub fn viewers(&self) -> usize {
        self.seats.load(Ordering::Relaxed)
    }

    /// Whether it can say what there is: it has heard a server pod, or there seems to be none.
    pub fn ready(&self) -> bool {
        self.registry.heard() || self.started.elapsed() > UNHEARD
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("counts", &self.counts).finish_non_exhaustive()
    }
}

//! The server's end of the links to balancers: it says what it has, and gives it to each balancer that asks.

mod announce;
mod catalog;
mod dial;
mod grants;
mod outlet;
mod pump;
mod serve;
mod tenure;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context as _;
use clap::Args;
use millrace_fencing::{BootId, FeedUid, Holder, PodUid, Time, tenure::Exclusive};
use millrace_link::Role;
use millrace_report::{
    link::Members,
    message::{Edges, Held, Ownership, Vouched},
};
use tokio::{sync::watch, task::JoinSet};

pub(crate) use self::outlet::Clock;
use self::{catalog::Catalog, grants::Grants, tenure::Owning};
use crate::{
    config::Reports,
    linking::{Identity, LinkFiles},
    member,
    pod::Pod,
};

/// Links to balancers.
#[derive(Clone, Debug, Args)]
#[group(id = "origin")]
pub struct Options {
    /// Dial the balancers at each address of HOST, tell them of the streams that are here, and serve those to them.
    /// Several with commas between are right, too.
    #[arg(long, value_name = "HOST:PORT", requires_all = ["link_key", "link_trust"])]
    pub link_to: Option<String>,
    /// What this member needs for that.
    #[command(flatten)]
    pub files: LinkFiles,
    /// Grants of the operator: a stream is announced once there is one of its feed. Without this, and without --operator,
    /// this media pod grants itself all that it has: the one that was started last has it.
    #[arg(long, value_name = "FILE", requires = "link_to")]
    pub grants: Option<PathBuf>,
}

/// See the module.
pub(crate) struct Origin {
    identity: Arc<Identity>,
    catalog: Arc<Catalog>,
    pod: Arc<Pod>,
    /// Where what is no stream is answered.
    inside: Option<SocketAddr>,
    /// Sessions through which content flows, of all balancers.
    sessions: AtomicUsize,
}

/// Links to balancers, until dropped.
pub struct Links {
    _tasks: JoinSet<()>,
    origin: Arc<Origin>,
    /// What the operator grants, where there is one.
    owning: Option<Arc<Owning>>,
    edges: watch::Sender<Vec<String>>,
}

impl Links {
    /// The operator says what is owned here.
    pub fn own(&self, said: Arc<Ownership>) {
        if let Some(owning) = &self.owning {
            owning.take(said);
        }
    }

    /// The leader has answered a beat; `now` by the clock that stamps beats.
    pub fn vouched(&self, vouched: &Vouched, now: Time) {
        if let Some(owning) = &self.owning {
            owning.vouched(vouched, now);
        }
    }

    /// Whether what must be done by one alone may be done for a feed now.
    pub fn exclusive(&self, feed: &FeedUid, now: Time) -> Exclusive {
        self.owning.as_ref().map_or(Exclusive::NotOwner, |owning| owning.exclusive(feed, now))
    }

    /// The operator says whose word counts on links.
    pub fn introduced(&self, members: &Members) {
        self.origin.identity.introduce(members);
    }

    /// The operator says which balancers there are: they are dialled, too.
    pub fn edges(&self, edges: &Edges) {
        if let Some(owning) = &self.owning {
            owning.know_balancers(edges.edges.len());
        }
        let dialled: Vec<String> = edges.edges.iter().map(|edge| edge.link.clone()).collect();
        self.edges.send_if_modified(|before| {
            let another = *before != dialled;
            *before = dialled;
            another
        });
    }

    /// For a beat: what the operator granted, and what was stopped because others own it.
    pub fn told(&self) -> (Vec<Held>, BTreeMap<String, u64>) {
        self.owning.as_ref().map(|owning| owning.told()).unwrap_or_default()
    }

    /// Counts what is to be told the operator at once.
    pub fn changed(&self) -> Option<watch::Receiver<u64>> {
        self.owning.as_ref().map(|owning| owning.watch())
    }

    /// How many feeds are owned here by the operator's grants.
    pub fn held(&self) -> usize {
        self.owning.as_ref().map_or(0, |owning| owning.held())
    }

    /// Sessions of balancers through which content flows.
    pub fn sessions(&self) -> usize {
        self.origin.sessions.load(Ordering::Relaxed)
    }
}

/// Looks after the links that `options` ask for, if they do. `member` says which start of the program in which pod this is;
/// `inside` is where the internal listener is.
pub fn start(
    options: &Options,
    member: &member::Options,
    pod: &Arc<Pod>,
    reports: &Reports,
    inside: Option<SocketAddr>,
) -> anyhow::Result<Option<Links>> {
    let mut tasks = JoinSet::new();
    let Some(to) = options.link_to.clone() else { return Ok(None) };
    let boot = BootId::new(member.boot_id.as_deref().unwrap_or_default()).context("--boot-id")?;
    let uid = member.pod_uid.clone().unwrap_or_else(|| format!("hand-{boot}"));
    let holder = Holder { pod: PodUid::new(&uid).context("--pod-uid")?, boot };
    let identity = Identity::read(&options.files, Role::SERVER, holder.to_string())?;
    let grants = match (&options.grants, &member.operator) {
        (Some(file), _) => Grants::of_file(file.clone(), holder.clone()),
        (None, Some(_)) => Grants::of_operator(holder.clone()),
        (None, None) => Grants::own(identity.key(), holder.clone()),
    };
    let owning = grants.are_of_operator().then(|| {
        Arc::new(Owning::new(holder.clone(), pod.clone(), identity.trust().clone(), grants.clone()))
    });
    tracing::info!(%holder, key = %identity.key().id(), %to, "linking");
    let catalog = Arc::new(Catalog::new(pod.clone(), grants.clone()));
    let origin = Arc::new(Origin {
        identity: identity.clone(),
        catalog: catalog.clone(),
        pod: pod.clone(),
        inside,
        sessions: AtomicUsize::new(0),
    });
    tasks.spawn(identity.follow());
    tasks.spawn(grants.clone().follow());
    tasks.spawn(catalog.follow(reports.watch()));
    if let Some(owning) = &owning {
        tasks.spawn(owning.clone().follow(reports.watch()));
    }
    let edges = watch::Sender::new(Vec::new());
    let to = to.split(',').map(|to| to.trim().to_owned()).collect();
    tasks.spawn(dial::keep(origin.clone(), to, edges.subscribe()));
    Ok(Some(Links { _tasks: tasks, origin, owning, edges }))
}

//! The server's end of the links to balancers: it says what it has, and gives it to each balancer that asks.

mod announce;
mod catalog;
mod dial;
mod grants;
mod outlet;
mod pump;
mod serve;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use millrace_fencing::{BootId, Holder, PodUid};
use millrace_link::Role;
use millrace_report::link::NamedGrant;
use tokio::task::JoinSet;

use self::{catalog::Catalog, grants::Grants};
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
}

/// Links to balancers, until dropped.
pub struct Links {
    _tasks: JoinSet<()>,
    grants: Grants,
}

impl Links {
    /// The operator grants these, and nothing else. What is wrong changes nothing.
    pub fn grant(&self, grants: Vec<NamedGrant>) -> anyhow::Result<()> {
        self.grants.take(grants)
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
    tracing::info!(%holder, key = %identity.key().id(), %to, "linking");
    let catalog = Arc::new(Catalog::new(pod.clone(), grants.clone()));
    let origin =
        Arc::new(Origin { identity: identity.clone(), catalog: catalog.clone(), pod: pod.clone(), inside });
    tasks.spawn(identity.follow());
    tasks.spawn(grants.clone().follow());
    tasks.spawn(catalog.follow(reports.watch()));
    for to in to.split(',') {
        tasks.spawn(dial::keep(origin.clone(), to.trim().to_owned()));
    }
    Ok(Some(Links { _tasks: tasks, grants }))
}

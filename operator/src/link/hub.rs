//! What media pods said, and what each is to be told. No I/O.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use millrace_report::{
    link::Members,
    message::{Beat, Configuration, Directory, Doing, Hello, Refused},
};
use tokio::time::Instant;

/// Three beats of a second: a Cluster's defaults.
const PATIENCE: Duration = Duration::from_secs(3);

use super::upstreams::{self, Links, Upstreams};
use crate::{decision, key::ClusterKey, names};

/// What a pod said.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Another at each start of its program.
    pub boot: String,
    /// The slot whose token it has.
    pub slot: String,
    /// The revision of the configuration that it runs.
    pub revision: u64,
    /// Why it refused a newer one.
    pub refused: Option<Refused>,
    /// Whether it drains.
    pub draining: bool,
    /// Its feeds.
    pub feeds: Arc<BTreeMap<String, Doing>>,
    /// Its streams.
    pub streams: Arc<BTreeMap<String, Doing>>,
    /// Of a balancer: viewers and publishers.
    pub sessions: Option<u32>,
    /// Of a balancer: its links to upstream Clusters, as far as that has settled; nothing where it says nothing of them.
    pub upstreams: Option<Arc<Links>>,
}

/// What a Cluster's pods are to be told.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What each slot's pod is to run, by the slot's name.
    pub configurations: BTreeMap<String, Arc<Configuration>>,
    /// Where the feeds are that each slot's pod gets from others, by the slot's name.
    pub directories: BTreeMap<String, Directory>,
    /// Whom they believe on links.
    pub members: decision::Members,
}

#[derive(Debug)]
struct Pod {
    name: String,
    namespace: String,
    cluster: Option<ClusterKey>,
    heard: Heard,
    upstreams: Upstreams,
    last: Instant,
    beaten: bool,
    silent: bool,
}

#[derive(Debug, Default)]
struct Known {
    configurations: BTreeMap<String, Arc<Configuration>>,
    directories: BTreeMap<String, Arc<Directory>>,
    servers_trust: Arc<Members>,
    balancers_trust: Arc<Members>,
    patience: Option<Duration>,
}

/// All pods that are connected.
#[derive(Debug, Default)]
pub(super) struct Hub {
    pods: HashMap<String, Pod>,
    clusters: HashMap<ClusterKey, Known>,
    /// When it was looked last what balancers say of upstreams.
    looked: Option<Instant>,
}

impl Hub {
    pub(super) fn joined(&mut self, hello: Hello, cluster: Option<ClusterKey>, now: Instant) {
        // Until its first beat, what it said on the connection before counts, if it is the same process.
        let before = self.pods.remove(&hello.uid).filter(|pod| pod.heard.boot == hello.boot);
        let (heard, upstreams, beaten) = before
            .map_or_else(<(Heard, Upstreams, bool)>::default, |pod| (pod.heard, pod.upstreams, pod.beaten));
        let heard = Heard { boot: hello.boot, slot: hello.slot, ..heard };
        let pod = Pod {
            name: hello.pod,
            namespace: hello.namespace,
            cluster,
            heard,
            upstreams,
            last: now,
            beaten,
            silent: false,
        };
        self.pods.insert(hello.uid, pod);
    }

    /// Whether it says something new.
    pub(super) fn beat(&mut self, uid: &str, beat: Beat, now: Instant) -> bool {
        let Some(pod) = self.pods.get_mut(uid) else { return false };
        pod.last = now;
        let mut news = !pod.beaten || pod.silent;
        pod.beaten = true;
        pod.silent = false;
        let heard = &mut pod.heard;
        // It changes all the time: who needs it looks from time to time.
        heard.sessions = beat.balancer.as_ref().map(|balancer| balancer.sessions);
        news |= replace(&mut heard.revision, beat.revision);
        news |= replace(&mut heard.refused, beat.refused);
        news |= replace(&mut heard.draining, beat.draining);
        if let Some(links) = beat.balancer.and_then(|balancer| balancer.upstreams) {
            news |= pod.upstreams.said(links, now);
        }
        if let Some(feeds) = beat.feeds {
            news |= replace(&mut heard.feeds, Arc::new(feeds));
        }
        if let Some(streams) = beat.streams {
            news |= replace(&mut heard.streams, Arc::new(streams));
        }
        news
    }

    pub(super) fn gone(&mut self, uid: &str) -> Option<ClusterKey> {
        // It is kept until it counts as silent: a connection that ends is no death, it comes again at once.
        self.pods.get(uid).filter(|pod| !pod.beaten)?;
        self.pods.remove(uid)?.cluster
    }

    pub(super) fn cluster(&self, uid: &str) -> Option<ClusterKey> {
        self.pods.get(uid)?.cluster.clone()
    }

    pub(super) fn connected(&self) -> usize {
        self.pods.values().filter(|pod| !pod.silent).count()
    }

    /// Those that have become silent since it was asked last.
    pub(super) fn silent(&mut self, now: Instant) -> Vec<(ClusterKey, String)> {
        let mut silent = Vec::new();
        for pod in self.pods.values_mut().filter(|pod| !pod.silent) {
            let known = pod.cluster.as_ref().and_then(|cluster| self.clusters.get(cluster));
            if now - pod.last > known.and_then(|known| known.patience).unwrap_or(PATIENCE) {
                pod.silent = true;
                silent.extend(pod.cluster.clone().map(|cluster| (cluster, pod.name.clone())));
            }
        }
        self.pods.retain(|_, pod| now - pod.last < Duration::from_mins(1));
        silent
    }

    /// Clusters of balancers of whose links to upstreams another thing has settled: to be asked often.
    pub(super) fn settled(&mut self, now: Instant) -> Vec<ClusterKey> {
        if self.looked.is_some_and(|looked| now - looked < upstreams::LOOK) {
            return Vec::new();
        }
        self.looked = Some(now);
        let mut clusters: Vec<ClusterKey> = self
            .pods
            .values_mut()
            .filter(|pod| !pod.silent)
            .filter_map(|pod| pod.upstreams.look(now).then(|| pod.cluster.clone())?)
            .collect();
        clusters.sort_unstable();
        clusters.dedup();
        clusters
    }

    pub(super) fn heard(&self, cluster: &ClusterKey, now: Instant) -> Vec<(String, Heard)> {
        let patience = self.clusters.get(cluster).and_then(|known| known.patience).unwrap_or(PATIENCE);
        let of = self.pods.iter().filter(|(_, pod)| pod.cluster.as_ref() == Some(cluster));
        let speaks = of.filter(|(_, pod)| pod.beaten && now - pod.last <= patience);
        let said = |pod: &Pod| Heard { upstreams: pod.upstreams.settled().cloned(), ..pod.heard.clone() };
        speaks.map(|(uid, pod)| (uid.clone(), said(pod))).collect()
    }

    pub(super) fn patience(&mut self, cluster: &ClusterKey, patience: Duration) {
        self.clusters.entry(cluster.clone()).or_default().patience = Some(patience);
    }

    pub(super) fn pods_of(&self, cluster: &ClusterKey) -> Vec<String> {
        let of = self.pods.iter().filter(|(_, pod)| pod.cluster.as_ref() == Some(cluster));
        of.map(|(uid, _)| uid.clone()).collect()
    }

    pub(super) fn want(&mut self, cluster: &ClusterKey, wanted: Wanted) {
        let known = self.clusters.entry(cluster.clone()).or_default();
        known.configurations = wanted.configurations;
        let before = std::mem::take(&mut known.directories);
        known.directories.extend(wanted.directories.into_iter().map(|(slot, mut directory)| {
            let before = before.get(&slot);
            directory.revision = before.map_or(0, |directory| directory.revision);
            let same = before.filter(|before| ***before == directory).cloned();
            let counted = move || Arc::new(Directory { revision: directory.revision + 1, ..directory });
            (slot, same.unwrap_or_else(counted))
        }));
        renew(&mut known.servers_trust, wanted.members.servers);
        renew(&mut known.balancers_trust, wanted.members.balancers);
        // A pod that had no configuration could not say of which Cluster it is.
        for pod in self.pods.values_mut().filter(|pod| pod.cluster.is_none()) {
            if pod.namespace == cluster.namespace && known.configurations.contains_key(&pod.heard.slot) {
                pod.cluster = Some(cluster.clone());
            }
        }
    }

    pub(super) fn forget(&mut self, cluster: &ClusterKey) {
        self.clusters.remove(cluster);
    }

    pub(super) fn to_tell(&self, uid: &str) -> ToTell {
        let pod = self.pods.get(uid).filter(|pod| pod.beaten);
        let cluster = pod.and_then(|pod| pod.cluster.as_ref());
        let known = cluster.and_then(|cluster| Some((cluster, self.clusters.get(cluster)?)));
        let (Some(Pod { heard, .. }), Some((cluster, known))) = (pod, known) else {
            return ToTell::default();
        };
        let refused = heard.refused.as_ref().map_or(0, |refused| refused.revision);
        let newer = |it: &&Arc<Configuration>| it.revision > heard.revision.max(refused);
        let balances = heard.slot == names::balancers(&cluster.name);
        let members = if balances { &known.balancers_trust } else { &known.servers_trust };
        ToTell {
            configuration: known.configurations.get(&heard.slot).filter(newer).cloned(),
            directory: known.directories.get(&heard.slot).cloned(),
            members: Some(members).filter(|members| !members.grant_keys.is_empty()).cloned(),
        }
    }
}

/// What one pod is to be told, if it was not already.
#[derive(Debug, Default)]
pub(super) struct ToTell {
    pub(super) configuration: Option<Arc<Configuration>>,
    pub(super) directory: Option<Arc<Directory>>,
    pub(super) members: Option<Arc<Members>>,
}

fn renew<T: PartialEq>(old: &mut Arc<T>, new: T) {
    if **old != new {
        *old = Arc::new(new);
    }
}

/// Puts `new` in the place of `old`; whether it differs.
pub(crate) fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let differs = *old != new;
    *old = new;
    differs
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;

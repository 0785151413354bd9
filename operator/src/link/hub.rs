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
mod tests {
    use millrace_report::{
        message::{Balancing, State},
        upstream::UpstreamLink,
    };

    use super::*;

    fn hello(uid: &str) -> Hello {
        let of = |text: &str| text.to_owned();
        Hello {
            uid: of(uid),
            pod: of(uid),
            namespace: of("ns"),
            slot: of("slot"),
            boot: of("b"),
            ..Hello::default()
        }
    }

    fn cluster() -> ClusterKey {
        ClusterKey::new("ns", "main")
    }

    fn wanted(revision: u64) -> Wanted {
        let configuration =
            Configuration { revision, yaml: String::new(), secrets: String::new(), template: String::new() };
        let configurations = [("slot".to_owned(), Arc::new(configuration))].into();
        let directories = [("slot".to_owned(), Directory::default())].into();
        Wanted { configurations, directories, ..Wanted::default() }
    }

    fn told(hub: &Hub) -> (Option<u64>, Option<u64>) {
        let ToTell { configuration, directory, .. } = hub.to_tell("u");
        (configuration.map(|it| it.revision), directory.map(|it| it.revision))
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_changes_is_news() {
        let (mut hub, now) = (Hub::default(), Instant::now());
        hub.joined(hello("u"), Some(cluster()), now);
        assert!(hub.heard(&cluster(), now).is_empty(), "it has said nothing yet");
        let feeds =
            BTreeMap::from([("door".to_owned(), Doing { state: State::Running, ..Doing::default() })]);
        let first = Beat { revision: 1, feeds: Some(feeds.clone()), ..Beat::default() };
        assert!(hub.beat("u", first.clone(), now));
        assert!(!hub.beat("u", Beat { viewers: 9, ..first.clone() }, now));
        assert!(!hub.beat("u", Beat { feeds: None, ..first.clone() }, now));
        assert_eq!(*hub.heard(&cluster(), now)[0].1.feeds, feeds);
        assert!(hub.beat("u", Beat { revision: 2, feeds: None, ..first }, now));
    }

    #[tokio::test(start_paused = true)]
    async fn three_missed_beats_are_silence_and_a_connection_that_ends_is_not() {
        let (mut hub, now) = (Hub::default(), Instant::now());
        hub.joined(hello("u"), Some(cluster()), now);
        hub.beat("u", Beat::default(), now);
        assert_eq!(hub.gone("u"), None);
        let later = now + Duration::from_millis(2900);
        assert!(hub.silent(later).is_empty());
        assert_eq!(hub.heard(&cluster(), later).len(), 1);
        let late = now + Duration::from_millis(3100);
        assert_eq!(hub.silent(late), [(cluster(), "u".to_owned())]);
        assert!(hub.silent(late).is_empty(), "told once");
        assert!(hub.heard(&cluster(), late).is_empty());
        assert!(hub.beat("u", Beat::default(), late), "it speaks again");
        hub.patience(&cluster(), Duration::from_secs(1));
        assert_eq!(hub.silent(late + Duration::from_millis(1100)).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_is_told_what_is_newer_than_what_it_runs_or_refused() {
        let (mut hub, now) = (Hub::default(), Instant::now());
        hub.joined(hello("u"), None, now);
        hub.want(&cluster(), wanted(5));
        assert_eq!(told(&hub), (None, None), "it is not known what it runs");
        hub.beat("u", Beat { revision: 4, ..Beat::default() }, now);
        assert_eq!(told(&hub), (Some(5), Some(1)));
        let refused = Some(Refused { revision: 5, reason: "no".to_owned() });
        hub.beat("u", Beat { revision: 4, refused, ..Beat::default() }, now);
        assert_eq!(told(&hub), (None, Some(1)));
        hub.want(&cluster(), wanted(6));
        assert_eq!(told(&hub), (Some(6), Some(1)), "the same directory has the same revision");
        let directory = Directory { token: "t".to_owned(), ..Directory::default() };
        let directories = [("slot".to_owned(), directory)].into();
        hub.want(&cluster(), Wanted { directories, ..wanted(6) });
        assert_eq!(told(&hub), (Some(6), Some(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn servers_and_balancers_are_told_whom_to_believe_each_their_own() {
        let (mut hub, now) = (Hub::default(), Instant::now());
        hub.joined(hello("server"), Some(cluster()), now);
        hub.joined(Hello { slot: "main-balancers".to_owned(), ..hello("balancer") }, Some(cluster()), now);
        for uid in ["server", "balancer"] {
            hub.beat(uid, Beat::default(), now);
        }
        hub.want(&cluster(), wanted(1));
        assert!(hub.to_tell("server").members.is_none(), "nobody is told to believe nobody");
        let believed = |name: &str| {
            let grant_keys = [("1".to_owned(), "key".to_owned())].into();
            Members { grant_keys, members: [(name.to_owned(), Vec::new())].into(), ..Members::default() }
        };
        let members = decision::Members { servers: believed("balancers"), balancers: believed("slots") };
        hub.want(&cluster(), Wanted { members: members.clone(), ..wanted(1) });
        let told = ["server", "balancer"].map(|uid| hub.to_tell(uid).members.unwrap());
        assert_eq!(
            told.each_ref().map(|it| (**it).clone()),
            [members.servers.clone(), members.balancers.clone()]
        );
        hub.want(&cluster(), Wanted { members, ..wanted(2) });
        assert!(
            Arc::ptr_eq(&told[0], &hub.to_tell("server").members.unwrap()),
            "what is the same is not made again"
        );
    }

    fn says(link: UpstreamLink) -> Beat {
        let upstreams = Some([("eu".to_owned(), link)].into());
        Beat { balancer: Some(Balancing { upstreams, ..Balancing::default() }), ..Beat::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_upstream_is_told_when_that_has_settled_and_a_connection_that_is_made_again_changes_nothing()
     {
        let (mut hub, start) = (Hub::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let said = |hub: &Hub, now| hub.heard(&cluster(), now)[0].1.upstreams.clone();
        hub.joined(hello("u"), Some(cluster()), start);
        hub.beat("u", Beat { balancer: Some(Balancing::default()), ..Beat::default() }, start);
        assert_eq!(said(&hub, start), None, "an older balancer");
        assert!(hub.beat("u", says(UpstreamLink::up()), start));
        assert!(said(&hub, start).unwrap()["eu"].up);
        let same = Beat { balancer: Some(Balancing::default()), ..Beat::default() };
        assert!(!hub.beat("u", same.clone(), start), "it says what changes");
        let mut told = Vec::new();
        for second in 1..40 {
            let beat =
                if second == 3 { says(UpstreamLink::away("connection refused")) } else { same.clone() };
            if second == 6 {
                hub.joined(hello("u"), Some(cluster()), at(second));
            }
            assert!(!hub.beat("u", beat, at(second)), "{second}");
            told.extend(hub.settled(at(second)).into_iter().map(|cluster| (second, cluster)));
        }
        // Looked at after 1, 6, 11 s and so on.
        assert_eq!(told, [(11, cluster())]);
        assert_eq!(said(&hub, at(39)).unwrap()["eu"], UpstreamLink::away("connection refused"));
        hub.joined(Hello { boot: "another".to_owned(), ..hello("u") }, Some(cluster()), at(40));
        hub.beat("u", same, at(40));
        assert_eq!(said(&hub, at(40)), None, "it was started anew");
    }
}

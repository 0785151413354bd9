//! Two replicas of the operator, server pods and balancers, on the simulated API server, in virtual time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt as _;
use millrace_fencing::{
    Epoch, FeedUid, Holder, Keyring, PodUid, SignedGrant, Tenure, Verify as _, liveness::Kubernetes,
};
use millrace_report::message::{
    Balancing, Beat, Edges, Fence, Held, Hello, LinkState, Newest, Ownership, Role, Vouched,
};
use tokio::time::{self, Instant};

use super::{
    carry::{Done, Found, Hands, Moved},
    facts::{Facts, PodFacts},
    guards::Guards,
    guests,
    seal::Seals,
    units::Member,
};
use crate::{key::ClusterKey, keys, labels, simulated::Simulated};

mod ends;
mod hands;

/// A request to the API server, and until its watch has seen what came of it.
const REQUEST: Duration = Duration::from_millis(5);
/// In which changes gather before a reconcile.
const QUEUE: Duration = Duration::from_millis(50);
/// A source gives its first frame.
const SOURCE: Duration = Duration::from_millis(5);
pub const STEP: Duration = Duration::from_millis(5);

pub fn key() -> ClusterKey {
    ClusterKey::new("video", "default")
}

pub struct World {
    pub all: Simulated,
    pub leases: BTreeMap<String, Lease>,
    pub leader: usize,
    /// So many things more this leader does, and then it is dead.
    pub lives: Option<usize>,
    pub servers: BTreeMap<PodUid, Server>,
    pub fronts: Vec<Front>,
    pub moved: Vec<Moved>,
    pub found: Found,
    pub edges: BTreeSet<PodUid>,
    pub resume: bool,
    pub reconciles: usize,
    pub requests: usize,
    /// The API server forbids what has to do with Leases.
    pub forbidden: bool,
    /// Pods whose objects were deleted by force, and whose processes live on.
    pub ghosts: BTreeSet<PodUid>,
    versions: u64,
    touched: Option<Instant>,
    connections: u64,
    keys: Keyring,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Server {
    pub tenure: Tenure,
    pub alive: bool,
    /// It is alive, and nobody hears it.
    pub cut: bool,
    pub slot: String,
    pub vouched: usize,
    connection: u64,
    joined: bool,
    beat: Instant,
    back: Option<Instant>,
    said: bool,
    ready: BTreeMap<FeedUid, Instant>,
}

#[derive(Default)]
pub struct Front {
    pub up: bool,
    pub links: BTreeMap<PodUid, LinkState>,
    pub newest: BTreeMap<FeedUid, (Epoch, Holder)>,
    pub floors: BTreeMap<FeedUid, Epoch>,
    beat: Option<Instant>,
    joined: bool,
    said: bool,
}

pub struct Replica {
    world: Arc<Mutex<World>>,
    me: usize,
}

pub struct Bench {
    world: Arc<Mutex<World>>,
    replicas: Vec<Arc<Guards<Replica>>>,
}

impl World {
    fn leads(&self, me: usize) -> bool {
        self.leader == me && self.lives != Some(0)
    }

    /// Whether the leader is still alive to do one thing more.
    fn does(&mut self, me: usize) -> bool {
        let leads = self.leads(me);
        if let Some(lives) = self.lives.as_mut().filter(|_| leads) {
            *lives -= 1;
        }
        leads
    }

    fn version(&mut self) -> String {
        self.versions += 1;
        self.touched.get_or_insert(Instant::now());
        self.versions.to_string()
    }

    /// The watches have something new.
    pub fn touch(&mut self) {
        let _ = self.version();
    }

    pub fn epoch(&self, feed: &str) -> Option<i64> {
        self.all.view.feeds.iter().find(|it| it.name_any() == feed)?.status.as_ref()?.epoch
    }

    /// The slot of the pod that the Lease of a Feed names, without its hash, and the epoch.
    pub fn owner(&self, feed: &str) -> Option<(String, i32)> {
        let lease =
            self.leases.values().find(|it| it.labels().get(labels::FEED).is_some_and(|it| it == feed))?;
        let spec = lease.spec.clone()?;
        let holder: Holder = spec.holder_identity?.parse().ok()?;
        let slot = self.servers.get(&holder.pod)?.slot.clone();
        Some((slot.rsplit_once('-')?.0.to_owned(), spec.lease_transitions?))
    }

    /// Whether the pod of a Feed's Lease holds it, cleared, and every balancer knows that.
    pub fn is_settled(&self, feed: &str) -> bool {
        let uid = self.uid(feed);
        let Some(lease) =
            self.leases.values().find(|it| it.labels().get(labels::FEED).is_some_and(|it| it == feed))
        else {
            return false;
        };
        let spec = lease.spec.clone().unwrap();
        let holder: Holder = spec.holder_identity.unwrap().parse().unwrap();
        let epoch = Epoch::new(spec.lease_transitions.unwrap() as u64).unwrap();
        let holds = self
            .servers
            .get(&holder.pod)
            .is_some_and(|it| it.alive && it.tenure.holdings().any(|it| it.feed == uid && it.epoch == epoch));
        holds
            && self
                .fronts
                .iter()
                .filter(|it| it.up)
                .all(|it| it.newest.get(&uid) == Some(&(epoch, holder.clone())))
    }

    pub fn uid(&self, feed: &str) -> FeedUid {
        let feed = self.all.view.feeds.iter().find(|it| it.name_any() == feed).unwrap();
        feed.uid().unwrap().parse().unwrap()
    }

    /// The pod of a slot.
    pub fn pod(&self, slot: &str) -> PodUid {
        let slot = format!("default-{slot}-");
        self.servers.iter().find(|(_, it)| it.alive && it.slot.starts_with(&slot)).unwrap().0.clone()
    }

    pub fn annotate(&mut self, pod: &PodUid, name: &str, value: &str) {
        let version = self.version();
        for it in &mut self.all.view.pods {
            if it.uid().as_deref() == Some(pod.as_str()) {
                let mut new = it.as_ref().clone();
                new.metadata.annotations.get_or_insert_default().insert(name.into(), value.into());
                new.metadata.resource_version = Some(version.clone());
                *it = Arc::new(new);
            }
        }
    }
}

impl Replica {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl Bench {
    /// The objects of YAML documents, and two balancers.
    pub fn new(yaml: &str, fronts: usize) -> Self {
        let all = Simulated::new(yaml);
        let settings = Arc::clone(&all.view.settings);
        let generation = keys::generation(jiff::Timestamp::now(), settings.key_rotation);
        let mut ring = Keyring::default();
        ring.add(keys::grant_signer(&settings.token_key, generation).unwrap().public()).unwrap();
        let front = || Front { up: true, ..Front::default() };
        let world = World {
            all,
            leases: BTreeMap::new(),
            leader: 0,
            lives: None,
            servers: BTreeMap::new(),
            fronts: (0..fronts).map(|_| front()).collect(),
            moved: Vec::new(),
            found: Found::default(),
            edges: BTreeSet::new(),
            resume: false,
            reconciles: 0,
            requests: 0,
            forbidden: false,
            ghosts: BTreeSet::new(),
            versions: 100,
            touched: Some(Instant::now()),
            connections: 0,
            keys: ring,
        };
        let world = Arc::new(Mutex::new(world));
        let replica = |me| {
            let hands = Replica { world: Arc::clone(&world), me };
            let guards = Guards::new(hands, Arc::clone(&settings)).unwrap();
            let runs = Arc::clone(&guards);
            tokio::spawn(async move { runs.run().await });
            guards
        };
        let replicas = (0..2).map(replica).collect();
        Self { world, replicas }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Runs until something is so; how long that took.
    pub async fn until(&self, what: &str, limit: Duration, is: impl Fn(&World) -> bool) -> Duration {
        let begun = Instant::now();
        while !is(&self.world()) {
            if begun.elapsed() > limit {
                let world = self.world();
                let leases: Vec<_> =
                    world.leases.values().map(|it| (it.name_any(), it.spec.clone())).collect();
                panic!("{what}: not within {limit:?}: {leases:#?} {:?} {:?}", world.found, world.moved);
            }
            self.step().await;
        }
        begun.elapsed()
    }

    pub async fn run(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.step().await;
        }
    }

    async fn step(&self) {
        time::sleep(STEP).await;
        self.reconcile();
        self.pods();
        self.beats();
        self.reports();
    }

    /// What the leader's controller does.
    fn reconcile(&self) {
        let (leader, plan) = {
            let mut world = self.world();
            let due = world.touched.is_some_and(|since| since.elapsed() >= QUEUE);
            let leader = world.leader;
            for guards in &self.replicas {
                if world.touched.is_some() {
                    let guards = Arc::clone(guards);
                    tokio::spawn(async move { guards.touch(&key()) });
                }
            }
            if !due || !world.leads(leader) {
                return;
            }
            world.touched = None;
            world.reconciles += 1;
            let Some(guards) = self.replicas.get(leader) else { return };
            let seals = guards.seals();
            let (owners, slots) = guests::owners(world.leases.values().map(|lease| seals.read(lease)));
            (world.all.view.owners, world.all.view.owners_slots) = (owners, slots);
            world.all.view.found = world.found.clone();
            world.all.pass(1);
            let decision = world.all.step();
            let alive: BTreeSet<String> =
                world.servers.iter().filter(|(_, it)| it.alive).map(|(uid, _)| uid.to_string()).collect();
            world.all.view.reports.retain(|uid, _| alive.contains(uid));
            if !crate::simulated::is_empty(&decision) {
                world.touched = Some(Instant::now());
            }
            (leader, decision.plan)
        };
        self.replicas[leader].plan(&key(), &plan);
    }

    /// Pods that were made come up, and those that were deleted end.
    fn pods(&self) {
        let mut gone = Vec::new();
        {
            let mut world = self.world();
            let there: BTreeMap<PodUid, String> = world
                .all
                .view
                .pods
                .iter()
                .map(|pod| (pod.uid().unwrap().parse().unwrap(), pod.labels()[labels::SLOT].clone()))
                .collect();
            for (uid, slot) in &there {
                if !world.servers.contains_key(uid) {
                    world.connections += 1;
                    let server = Server::new(uid, slot, world.connections);
                    world.servers.insert(uid.clone(), server);
                }
            }
            let ghosts = world.ghosts.clone();
            let ends = |uid: &PodUid| !there.contains_key(uid) && !ghosts.contains(uid);
            for (uid, server) in world.servers.iter_mut().filter(|(uid, it)| it.alive && ends(uid)) {
                server.alive = false;
                gone.push(uid.clone());
            }
            let mut connections = world.connections;
            for (uid, server) in &mut world.servers {
                if server.back.is_some_and(|back| back <= Instant::now()) {
                    connections += 1;
                    *server = Server::new(uid, &server.slot.clone(), connections);
                }
            }
            world.connections = connections;
        }
        for pod in gone {
            self.closes(&pod);
        }
    }

    /// A pod's object is deleted by force, and its process lives on.
    pub fn force_delete(&self, pod: &PodUid) {
        let mut world = self.world();
        world.ghosts.insert(pod.clone());
        world.all.view.pods.retain(|it| it.uid().as_deref() != Some(pod.as_str()));
        world.touch();
    }

    /// A process ends: its kernel closes its connections.
    pub fn kill(&self, pod: &PodUid, back_after: Option<Duration>) {
        {
            let mut world = self.world();
            let server = world.servers.get_mut(pod).unwrap();
            server.alive = false;
            server.back = back_after.map(|after| Instant::now() + after);
        }
        self.closes(pod);
    }

    fn closes(&self, pod: &PodUid) {
        for front in &mut self.world().fronts {
            front.links.insert(pod.clone(), LinkState::ClosedByPeer);
            front.said = false;
        }
        for guards in &self.replicas {
            guards.gone(Some(&key()), pod.as_str(), true);
        }
    }

    /// Nobody hears it any more, and it lives on.
    pub fn cut(&self, pod: &PodUid) {
        let mut world = self.world();
        world.servers.get_mut(pod).unwrap().cut = true;
        for front in &mut world.fronts {
            front.links.insert(pod.clone(), LinkState::Lost);
        }
    }

    fn beats(&self) {
        let now = Instant::now();
        let mut said = Vec::new();
        {
            let mut world = self.world();
            let World { servers, fronts, .. } = &mut *world;
            for (uid, server) in servers.iter_mut().filter(|(_, it)| it.alive && !it.cut) {
                let announced = server.announce(uid, fronts);
                let due = now >= server.beat || !server.said || announced;
                if due {
                    (server.beat, server.said) = (now + Duration::from_secs(1), true);
                    said.push((
                        uid.clone(),
                        (!server.joined).then(|| server.hello(uid)),
                        server.connection,
                        server.says(),
                    ));
                    server.joined = true;
                }
            }
        }
        for (uid, hello, connection, beat) in said {
            for guards in &self.replicas {
                if let Some(hello) = &hello {
                    guards.joined(Some(&key()), hello, connection);
                }
                guards.beat(Some(&key()), uid.as_str(), &beat);
            }
        }
    }

    fn reports(&self) {
        let now = Instant::now();
        let mut said = Vec::new();
        for (place, front) in self.world().fronts.iter_mut().enumerate().filter(|(_, front)| front.up) {
            if front.beat.is_none_or(|due| now >= due) || !front.said {
                (front.beat, front.said) = (Some(now + Duration::from_secs(1)), true);
                said.push((place, !std::mem::replace(&mut front.joined, true), front.says()));
            }
        }
        for (place, joins, balancer) in said {
            let uid = format!("front-{place}");
            for guards in &self.replicas {
                if joins {
                    let hello = Hello {
                        uid: uid.clone(),
                        pod: uid.clone(),
                        role: Role::Balancer,
                        ..Hello::default()
                    };
                    guards.joined(Some(&key()), &hello, 1_000_000);
                }
                let beat = Beat { balancer: Some(balancer.clone()), ..Beat::default() };
                guards.beat(Some(&key()), &uid, &beat);
            }
        }
    }
}

//! Two replicas of the operator, server pods and balancers, on the simulated API server, in virtual time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
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
use crate::{key::ClusterKey, keys, labels, simulated::Simulated, view::Settings};

mod beats;
mod ends;
mod hands;
mod world;

pub use self::world::World;

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
            ahead: Duration::ZERO,
            began: Instant::now(),
            cordoned: BTreeSet::new(),
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
}

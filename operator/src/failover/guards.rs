//! All Clusters' guards, and when each looks.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use millrace_fencing::{PodUid, Settings as Times, Time, keys::KeyError};
use millrace_report::message::{Beat, Hello};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{self, Instant},
};
use tracing::{debug, error};

use super::{
    brief::Brief,
    carry::{self, Found, Hands},
    guard::{BUSY, Guard},
    seal::Seals,
    units::Units,
};
use crate::{kept::Placement, key::ClusterKey, view::Settings};

/// In which news gather.
const GATHER: Duration = Duration::from_millis(20);
/// While nothing is under way it is looked this often, for silence makes no news.
const CALM: Duration = Duration::from_secs(1);
/// How long media pods may take to find a replica that is new.
const FOUND: Duration = Duration::from_secs(8);

/// See the module.
#[derive(Debug)]
pub struct Guards<H> {
    hands: H,
    settings: Arc<Settings>,
    seals: Mutex<Arc<Seals>>,
    began: Instant,
    all: Mutex<HashMap<ClusterKey, Entry>>,
    /// Media pods whose Cluster is not known yet.
    strangers: Mutex<HashMap<String, (Hello, u64)>>,
    wake: Notify,
}

#[derive(Debug)]
struct Entry {
    guard: Guard,
    brief: Brief,
    due: Instant,
    /// When a connection that was closed counts as a pod that is gone, if it does not come back.
    grace: Option<Instant>,
    /// The watches have something new.
    stale: bool,
}

/// What a reconcile knows of a Cluster, and its guard does not.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What there is to own.
    pub units: Arc<Units>,
    /// What the pods of each slot are to run, guests among it.
    pub placed: BTreeMap<String, Placement>,
    /// Pods that are to be emptied because others take their places.
    pub outgoing: BTreeSet<PodUid>,
    /// Times, as the Cluster says.
    pub times: Times,
}

impl<H: Hands> Guards<H> {
    /// None yet.
    ///
    /// # Errors
    /// Where the system's cryptography fails.
    pub fn new(hands: H, settings: Arc<Settings>) -> Result<Arc<Self>, KeyError> {
        let seals = Mutex::new(Arc::new(Seals::new(&settings, hands.wall())?));
        let (all, strangers, wake) = (Mutex::default(), Mutex::default(), Notify::new());
        Ok(Arc::new(Self { hands, settings, seals, began: Instant::now(), all, strangers, wake }))
    }

    /// What carries out.
    pub fn hands(&self) -> &H {
        &self.hands
    }

    /// What signs.
    pub fn seals(&self) -> Arc<Seals> {
        Arc::clone(&self.seals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// This replica's clock.
    pub fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Looks and decides, for ever.
    pub async fn run(self: &Arc<Self>) {
        let mut chains = JoinSet::new();
        loop {
            let next = self.lock().values().map(|entry| entry.due).min();
            let woken = async {
                match next {
                    Some(due) => drop(time::timeout_at(due, self.wake.notified()).await),
                    None => self.wake.notified().await,
                }
            };
            tokio::select! {
                () = woken => {}
                Some(_) = chains.join_next(), if !chains.is_empty() => {}
            }
            self.renew();
            let now = Instant::now();
            let due: Vec<ClusterKey> = {
                let all = self.lock();
                all.iter().filter(|(_, entry)| entry.due <= now).map(|(key, _)| key.clone()).collect()
            };
            for cluster in due {
                self.look(&cluster, &mut chains);
            }
        }
    }

    fn look(self: &Arc<Self>, cluster: &ClusterKey, chains: &mut JoinSet<()>) {
        let (seals, now) = (self.seals(), self.now());
        let leads = self.hands.leads();
        let stale = {
            let mut all = self.lock();
            let Some(entry) = all.get_mut(cluster) else { return };
            if !leads {
                // It listens, and begins with everything when it leads.
                entry.guard.lead(false, now);
                (entry.stale, entry.due) = (true, Instant::now() + BUSY);
                return;
            }
            std::mem::take(&mut entry.stale)
        };
        let facts = stale.then(|| self.hands.facts(cluster, &seals)).flatten();
        let grown_up = self.began.elapsed() >= FOUND;
        let mut all = self.lock();
        let Some(entry) = all.get_mut(cluster) else { return };
        match facts {
            Some(facts) => entry.guard.know(facts),
            None if stale => entry.stale = true,
            None => {}
        }
        entry.guard.lead(true, now);
        let look = entry.guard.look(&seals, grown_up, now);
        let present = Instant::now();
        entry.due = present + if look.busy || entry.stale { BUSY } else { CALM };
        entry.grace = entry.grace.filter(|grace| *grace > present);
        entry.due = entry.grace.map_or(entry.due, |grace| grace.min(entry.due));
        let edges = entry.brief.edges(&entry.guard);
        let drained_for = entry.guard.drained_for(now);
        let drains = look.drains.iter().map(|drain| {
            let since = drained_for.get(&drain.pod).map_or(0, Duration::as_secs);
            (drain.pod.clone(), (drain.left, since))
        });
        let found = Found {
            paused: look.paused.map(|paused| (paused.silent, paused.of)),
            drains: drains.collect(),
            waits: look.waits,
            silent: look.silent,
            guests: entry.guard.guests(),
            leases: entry.guard.facts().leases.values().filter(|read| read.grant.is_some()).count(),
        };
        drop(all);
        for (pod, edges) in edges {
            self.hands.edges(&pod, edges);
        }
        for (balancer, fences) in look.tables {
            self.hands.fence(&balancer, fences);
        }
        self.hands.found(cluster, found);
        for chain in look.chains {
            debug!(%cluster, ?chain, "to be carried out");
            let (guards, cluster) = (Arc::clone(self), cluster.clone());
            chains.spawn(async move { carry::chain(&guards, &cluster, chain).await });
        }
        for anew in look.anew {
            let (guards, cluster) = (Arc::clone(self), cluster.clone());
            chains.spawn(async move { carry::seal_anew(&guards, &cluster, anew).await });
        }
    }

    /// New keys where it is time: what was signed with the old ones is told again.
    fn renew(&self) {
        let now = self.hands.wall();
        if !self.seals().is_old(&self.settings, now) {
            return;
        }
        let seals = match Seals::new(&self.settings, now) {
            Ok(seals) => Arc::new(seals),
            Err(wrong) => return error!("no keys for grants: {wrong}"),
        };
        *self.seals.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&seals);
        let mut told = Vec::new();
        for entry in self.lock().values_mut() {
            told.extend(entry.guard.signed_anew(&seals));
            entry.stale = true;
        }
        for (pod, ownership) in told.into_iter().filter(|_| self.hands.leads()) {
            self.hands.own(&pod, ownership);
        }
    }

    /// A media pod connected.
    pub fn joined(&self, cluster: Option<&ClusterKey>, hello: &Hello, connection: u64) {
        let Some(cluster) = cluster else {
            self.strangers().insert(hello.uid.clone(), (hello.clone(), connection));
            return;
        };
        let (seals, now) = (self.seals(), self.now());
        let again = self.entry(cluster, |entry| {
            entry.brief.forget(&hello.uid);
            entry.guard.joined(hello, connection, now);
            self.hands.leads().then(|| entry.guard.again(&hello.uid, &seals)).flatten()
        });
        if let Some(again) = again
            && let Ok(pod) = PodUid::new(&hello.uid)
        {
            self.hands.own(&pod, again);
        }
        self.soon(cluster);
    }

    /// A media pod beats.
    pub fn beat(&self, cluster: Option<&ClusterKey>, uid: &str, beat: &Beat) {
        let Some(cluster) = cluster else { return };
        let stranger = self.strangers().remove(uid);
        if let Some((hello, connection)) = stranger {
            self.joined(Some(cluster), &hello, connection);
        }
        let now = self.now();
        let (news, vouched) = self.entry(cluster, |entry| {
            let news = entry.guard.beat(uid, beat, now);
            (news, self.hands.leads().then(|| entry.guard.vouch(uid, beat)).flatten())
        });
        if let (Some(vouched), Ok(pod)) = (vouched, PodUid::new(uid)) {
            self.hands.vouch(&pod, vouched);
        }
        if news {
            self.soon(cluster);
        }
    }

    /// A media pod's connection ended.
    pub fn gone(&self, cluster: Option<&ClusterKey>, uid: &str, by_peer: bool) {
        self.strangers().remove(uid);
        let Some(cluster) = cluster else { return };
        let now = self.now();
        if let Some(grace) = self.entry(cluster, |entry| entry.guard.gone(uid, by_peer, now)) {
            let grace = grace + Duration::from_millis(1);
            self.entry(cluster, |entry| entry.grace = Some(Instant::now() + grace));
            self.within(cluster, grace);
        }
    }

    /// What a reconcile found.
    pub fn plan(&self, cluster: &ClusterKey, plan: &Plan) {
        self.entry(cluster, |entry| {
            entry.guard.times(&plan.times);
            entry.guard.own(Arc::clone(&plan.units));
            entry.guard.outgoing(plan.outgoing.iter().cloned());
            entry.guard.place(plan.placed.clone());
            entry.stale = true;
        });
        self.soon(cluster);
    }

    /// Nothing is left of a Cluster.
    pub fn forget(&self, cluster: &ClusterKey) {
        self.lock().remove(cluster);
    }

    /// The watches have something new of it.
    pub fn touch(&self, cluster: &ClusterKey) {
        let known = self.lock().get_mut(cluster).map(|entry| entry.stale = true).is_some();
        if known {
            self.soon(cluster);
        }
    }

    /// Looks when news have gathered.
    pub fn soon(&self, cluster: &ClusterKey) {
        self.within(cluster, GATHER);
    }

    fn within(&self, cluster: &ClusterKey, wait: Duration) {
        let due = Instant::now() + wait;
        let sooner = self.lock().get_mut(cluster).is_some_and(|entry| {
            let sooner = due < entry.due;
            entry.due = entry.due.min(due);
            sooner
        });
        if sooner {
            self.wake.notify_one();
        }
    }

    /// Asks a Cluster's guard.
    pub fn with<T>(&self, cluster: &ClusterKey, ask: impl FnOnce(&mut Guard) -> T) -> Option<T> {
        self.lock().get_mut(cluster).map(|entry| ask(&mut entry.guard))
    }

    fn entry<T>(&self, cluster: &ClusterKey, ask: impl FnOnce(&mut Entry) -> T) -> T {
        let mut all = self.lock();
        let entry = all.entry(cluster.clone()).or_insert_with(|| {
            self.wake.notify_one();
            Entry {
                guard: Guard::new(Times::default()),
                brief: Brief::default(),
                due: Instant::now() + GATHER,
                grace: None,
                stale: true,
            }
        });
        ask(entry)
    }

    fn strangers(&self) -> MutexGuard<'_, HashMap<String, (Hello, u64)>> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClusterKey, Entry>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

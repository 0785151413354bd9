//! One Cluster, as one replica of the operator knows it: who is alive, who owns what, and what is to be done. No I/O.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use millrace_fencing::{
    BalancerId, Epoch, Failover, FeedUid, Grant, Holder, Liveness, PodUid, Settings, Time,
    failover::{Chain, Drain, LeaseSeen, Order, PodSeen, Seen, Why},
    liveness::{Closed, Judgement, Kubernetes, Link, Paused, Verdict},
    tenure::Holding,
};
use millrace_report::message::{Beat, Fence, Hello, LinkState, Ownership, Role, Vouched};

use super::{
    books::Books,
    carry::Moved,
    facts::{Facts, PodFacts},
    seal::Seals,
    seen::{self, Pool, Said, Told},
    units::Units,
};
use crate::kept::Placement;

/// While something is under way it is looked this often.
pub const BUSY: Duration = Duration::from_millis(100);
/// How long a pod must have been heard before what belongs to it comes back.
const AT_HOME: Duration = Duration::from_secs(5);
/// What never had an owner waits so long for a pod of its own slot, before another pod has it.
const FIRST_HOME: Duration = Duration::from_secs(10);
/// How long a pod that is to be deleted may take to go before that is asked for again.
const DELETING: Duration = Duration::from_secs(30);
/// For so long nothing is failed over because of silence, when somebody has said go on.
const RESUMED: Duration = Duration::from_mins(1);

/// See the module.
#[derive(Debug)]
pub struct Guard {
    settings: Settings,
    liveness: Liveness,
    failover: Option<Failover>,
    facts: Facts,
    units: Arc<Units>,
    placed: BTreeMap<String, Placement>,
    servers: BTreeMap<PodUid, Server>,
    fronts: BTreeMap<PodUid, Front>,
    books: Books,
    /// The newest epoch of each unit that was seen here.
    epochs: BTreeMap<FeedUid, Epoch>,
    /// Units that never had an owner, and since when they are known here.
    fresh: BTreeMap<FeedUid, Time>,
    deleting: BTreeMap<PodUid, Time>,
    /// Since when each pod is being emptied.
    draining: BTreeMap<PodUid, Time>,
    /// Pods that are to be emptied because others take their places.
    outgoing: std::collections::BTreeSet<PodUid>,
}

/// What is known of a server pod's connection.
#[derive(Debug)]
struct Server {
    name: String,
    holder: Holder,
    connection: u64,
    since: Time,
    /// When it was heard last, or when its connection ended.
    heard: Time,
    said: Said,
    connected: bool,
}

/// What is known of a balancer's connection.
#[derive(Debug, Default)]
struct Front {
    told: Told,
    links: BTreeMap<PodUid, Link>,
    /// It has the whole table of this leader.
    has_table: bool,
    load: (u32, u64),
    draining: bool,
    connected: bool,
}

/// What came of a look.
#[derive(Debug, Default)]
pub struct Look {
    /// To be carried out, each on its own.
    pub chains: Vec<Chain>,
    /// Balancers that are to be told everything, and that.
    pub tables: Vec<(PodUid, Vec<Fence>)>,
    /// Nothing is failed over because of silence.
    pub paused: Option<Paused>,
    /// Pods that are being emptied.
    pub drains: Vec<Drain>,
    /// Units that nobody can take.
    pub homeless: Vec<FeedUid>,
    /// Pods that are silent, or believed to be gone.
    pub silent: usize,
    /// Something is under way: look again soon.
    pub busy: bool,
}

impl Guard {
    /// Of a replica that does not lead.
    pub fn new(settings: Settings) -> Self {
        Self {
            liveness: Liveness::new(settings.clone()),
            settings,
            failover: None,
            facts: Facts::default(),
            units: Arc::default(),
            placed: BTreeMap::new(),
            servers: BTreeMap::new(),
            fronts: BTreeMap::new(),
            books: Books::default(),
            epochs: BTreeMap::new(),
            fresh: BTreeMap::new(),
            deleting: BTreeMap::new(),
            draining: BTreeMap::new(),
            outgoing: <_>::default(),
        }
    }

    /// The times that it goes by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A media pod connected.
    pub fn joined(&mut self, hello: &Hello, connection: u64, now: Time) {
        let Ok(pod) = PodUid::new(&hello.uid) else { return };
        if hello.role == Role::Balancer {
            let front = self.fronts.entry(pod).or_default();
            (front.has_table, front.connected) = (false, true);
            return;
        }
        let Ok(boot) = hello.boot.parse() else { return };
        let holder = Holder { pod: pod.clone(), boot };
        let before = self.servers.remove(&pod).filter(|it| it.holder == holder);
        let (said, since) = before.map_or((Said::default(), now), |it| (it.said, it.since));
        let name = hello.pod.clone();
        self.servers
            .insert(pod, Server { name, holder, connection, since, heard: now, said, connected: true });
    }

    /// A media pod beats. Whether something is to be looked at at once.
    pub fn beat(&mut self, uid: &str, beat: &Beat, now: Time) -> bool {
        let Ok(pod) = PodUid::new(uid) else { return false };
        if let (Some(front), Some(balancing)) = (self.fronts.get_mut(&pod), &beat.balancer) {
            let Ok(name) = uid.parse::<BalancerId>() else { return false };
            let links = links(&balancing.links);
            let mut news = kinds(&front.links) != kinds(&links);
            if let Some(newest) = &balancing.newest {
                let of = |(feed, it): (&String, &millrace_report::message::Newest)| {
                    Some((feed.parse().ok()?, (Epoch::new(it.epoch).ok()?, it.holder.parse().ok()?)))
                };
                news |= replace(&mut front.told.newest, newest.iter().filter_map(of).collect());
            }
            if let Some(floors) = &balancing.floors {
                let of =
                    |(feed, epoch): (&String, &u64)| Some((feed.parse().ok()?, Epoch::new(*epoch).ok()?));
                news |= replace(&mut front.told.floors, floors.iter().filter_map(of).collect());
            }
            front.load = (balancing.sessions, balancing.bits_per_second);
            front.draining = beat.draining;
            news |= !self.liveness.is_fresh(&name, now);
            front.links.clone_from(&links);
            self.liveness.report(&name, links, now);
            return news;
        }
        let Some(server) = self.servers.get_mut(&pod) else { return false };
        let new_boot = self.liveness.boot(&pod) != Some(&server.holder.boot);
        if !self.liveness.beat(&server.holder, server.connection, now) {
            return false;
        }
        server.heard = now;
        let held = |it: &millrace_report::message::Held| {
            Some((it.feed.parse().ok()?, (Epoch::new(it.epoch).ok()?, it.cleared)))
        };
        let over = |(feed, epoch): (&String, &u64)| Some((feed.parse().ok()?, Epoch::new(*epoch).ok()?));
        let said = Said {
            holdings: beat.holdings.iter().filter_map(held).collect(),
            over: beat.over.iter().filter_map(over).collect(),
            draining: beat.draining,
        };
        replace(&mut server.said, said) | new_boot
    }

    /// A media pod's connection ended. How long from now it is to be looked at.
    pub fn gone(&mut self, uid: &str, by_peer: bool, now: Time) -> Option<Duration> {
        let pod = PodUid::new(uid).ok()?;
        if let Some(front) = self.fronts.get_mut(&pod) {
            front.connected = false;
        }
        let server = self.servers.get_mut(&pod)?;
        (server.connected, server.heard) = (false, now);
        let how = if by_peer { Closed::ByPeer } else { Closed::Lost };
        self.liveness.closed(&server.holder, how, now);
        self.settings.reset_grace.filter(|_| by_peer)
    }

    /// What the leader's answer to a beat says.
    pub fn vouch(&self, uid: &str, beat: &Beat) -> Option<Vouched> {
        let failover = self.failover.as_ref()?;
        let pod = PodUid::new(uid).ok()?;
        if self.fronts.get(&pod).is_some_and(|front| front.has_table) {
            return Some(Vouched { sent: beat.sent, covers: BTreeMap::new() });
        }
        let server = self.servers.get(&pod)?;
        if server.said.holdings.is_empty() {
            return None;
        }
        let one = |(member, (epoch, cleared)): (&FeedUid, &(Epoch, bool))| {
            let unit = self.units.of.get(member)?.clone();
            let holding = Holding { feed: unit, epoch: *epoch, cleared: *cleared };
            let good = !failover.vouch(std::slice::from_ref(&holding)).is_empty();
            good.then(|| (member.to_string(), epoch.get()))
        };
        Some(Vouched { sent: beat.sent, covers: server.said.holdings.iter().filter_map(one).collect() })
    }

    /// What the pods of each slot are to run.
    pub fn place(&mut self, placed: BTreeMap<String, Placement>) {
        self.placed = placed;
    }

    /// Whether the pods of a slot are to run a unit.
    pub fn is_placed(&self, slot: &str, unit: &super::units::Unit) -> bool {
        let all = |there: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
            wanted.iter().all(|(name, uid)| there.get(name) == Some(uid))
        };
        self.placed.get(slot).is_some_and(|placed| {
            all(&placed.feeds, &unit.placement.feeds) && all(&placed.streams, &unit.placement.streams)
        })
    }

    /// Units that pods of other slots than their own hold, or own.
    pub fn guests(&self) -> std::collections::BTreeSet<(FeedUid, PodUid)> {
        let held =
            self.servers.iter().flat_map(|(pod, it)| it.said.holdings.keys().map(move |feed| (feed, pod)));
        let grants = self.facts.leases.values().filter_map(|read| read.grant.as_ref());
        let owned = grants.map(|grant| (&grant.feed, &grant.holder.pod));
        let away = |(feed, pod): (&FeedUid, &PodUid)| {
            let (uid, unit) = self.units.unit(feed)?;
            let slot = &self.facts.servers.get(pod)?.slot;
            (*slot != unit.home).then(|| (uid.clone(), pod.clone()))
        };
        held.chain(owned).filter_map(away).collect()
    }

    /// Times as the Cluster says.
    pub fn times(&mut self, settings: &Settings) {
        if self.settings != *settings {
            self.settings = settings.clone();
            self.liveness.settings(settings.clone());
            if let Some(failover) = &mut self.failover {
                failover.settings(settings.clone());
            }
        }
    }

    /// The owner of a unit by its Leases.
    pub fn owner(&self, uid: &FeedUid) -> Option<Holder> {
        let unit = self.units.all.get(uid)?;
        seen::lease(unit, &self.facts.leases).filter(|lease| lease.sealed).map(|lease| lease.holder)
    }

    /// What is told of a change of owner.
    pub fn moved(&self, grant: &Grant, before: Option<&Holder>, why: Why, now: Time) -> Option<Moved> {
        let members = self.units.all.get(&grant.feed)?.members.clone();
        let from = before.map(|holder| self.name_of(&holder.pod)).filter(|name| !name.is_empty());
        let took = before.and_then(|holder| self.servers.get(&holder.pod));
        let took = took.filter(|_| matches!(why, Why::Failed(_))).map(|it| now.since(it.heard));
        let to = self.name_of(&grant.holder.pod);
        Some(Moved { members, from, to, epoch: grant.epoch, why, took })
    }

    /// The watches have something new.
    pub fn know(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// The watches, as they were told last.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What there is to own.
    pub fn own(&mut self, units: Arc<Units>) {
        if self.units != units {
            self.books.forget(&units);
            self.units = units;
        }
    }

    /// What there is to own.
    pub fn units(&self) -> &Arc<Units> {
        &self.units
    }

    /// Pods that are to be emptied because others take their places.
    pub fn outgoing(&mut self, pods: impl IntoIterator<Item = PodUid>) {
        self.outgoing = pods.into_iter().collect();
    }

    /// This replica leads from now on, or does not any more.
    pub fn lead(&mut self, leads: bool, now: Time) {
        match (leads, self.failover.is_some()) {
            (true, false) => {
                self.liveness.lead(now);
                self.failover = Some(Failover::new(self.settings.clone()));
                self.fronts.values_mut().for_each(|front| front.has_table = false);
                self.books = Books::default();
            }
            (false, true) => {
                self.liveness.follow();
                self.failover = None;
            }
            _ => {}
        }
    }

    /// A chain has come to its end.
    pub fn finished(&mut self, feed: &FeedUid, all: bool) {
        if let Some(failover) = &mut self.failover {
            failover.finished(feed, all);
        }
    }

    /// Looks at everything. `grown_up` says that this replica has listened for so long that who lives has found it.
    pub fn look(&mut self, seals: &Seals, grown_up: bool, now: Time) -> Look {
        self.introduce(grown_up, now);
        if self.facts.resume {
            self.liveness.resume(now + RESUMED);
        }
        let judgement = self.liveness.judge(now);
        let silent = judgement.verdicts.values().filter(|it| **it != Verdict::Alive).count();
        let mut look = Look { paused: judgement.paused, silent, ..Look::default() };
        if self.failover.is_none() {
            return look;
        }
        let seen = self.seen(&judgement, now);
        self.open_books(&seen);
        let Some(failover) = &mut self.failover else { return look };
        let decision = failover.decide(&seen, now);
        self.deleting.retain(|_, asked| now.since(*asked) < DELETING);
        for chain in decision.chains {
            if let [Order::DeletePod { pod }] = chain.orders.as_slice() {
                let there = self.facts.servers.get(pod).is_some_and(|facts| !facts.ends);
                if !there || self.deleting.contains_key(pod) {
                    continue;
                }
                self.deleting.insert(pod.clone(), now);
            }
            look.chains.push(chain);
        }
        self.draining.retain(|pod, _| decision.drains.iter().any(|drain| drain.pod == *pod));
        for drain in &decision.drains {
            self.draining.entry(drain.pod.clone()).or_insert(now);
        }
        look.busy = silent > 0
            || seen.listening
            || !look.chains.is_empty()
            || !decision.homeless.is_empty()
            || decision.drains.iter().any(|drain| drain.left > 0)
            || self.units.all.keys().any(|uid| !Self::is_settled(uid, &seen));
        (look.drains, look.homeless) = (decision.drains, decision.homeless);
        if !seen.listening {
            look.tables = self.tables(seals);
        }
        look
    }

    /// Whether a unit has an owner that beats, says that it has it, and is cleared.
    fn is_settled(uid: &FeedUid, seen: &Seen) -> bool {
        let lease = seen.feeds.get(uid).and_then(|feed| feed.lease.as_ref()).filter(|lease| lease.sealed);
        let Some(lease) = lease else { return false };
        let pod = seen.pods.get(&lease.holder.pod);
        pod.is_some_and(|pod| {
            pod.holdings.iter().any(|it| it.feed == *uid && it.epoch == lease.epoch && it.cleared)
        })
    }

    /// Pods whose silence counts: those that were heard, and, once media pods have had time to find this replica, those that
    /// are Ready or own something.
    fn introduce(&mut self, grown_up: bool, now: Time) {
        let mut owners = std::collections::BTreeSet::new();
        for read in self.facts.leases.values() {
            owners.extend(read.grant.as_ref().map(|grant| grant.holder.pod.clone()));
        }
        for (uid, pod) in &self.facts.servers {
            let counts = grown_up && (pod.ready || owners.contains(uid));
            if counts || self.liveness.boot(uid).is_some() {
                self.liveness.pod(uid, pod.node.as_deref(), pod.kubernetes, now);
            }
        }
        for owner in owners.iter().filter(|uid| !self.facts.servers.contains_key(*uid)) {
            self.liveness.pod(owner, None, Kubernetes::Gone, now);
        }
        let known: Vec<PodUid> = self.servers.keys().cloned().collect();
        for uid in known.iter().filter(|uid| !self.facts.servers.contains_key(*uid) && !owners.contains(*uid))
        {
            // Of a pod that was not seen yet the watch may be late.
            if self.servers.get(uid).is_some_and(|it| !it.connected) {
                self.liveness.forget_pod(uid);
                self.servers.remove(uid);
            } else {
                self.liveness.pod(uid, None, Kubernetes::Gone, now);
            }
        }
        let fronts = &self.facts.balancers;
        for (uid, _) in fronts.iter().filter(|(_, pod)| pod.ready && !pod.ends) {
            if let Ok(name) = uid.as_str().parse() {
                self.liveness.balancer(&name);
            }
        }
        let gone = self.fronts.iter().filter(|(uid, front)| !front.connected && !fronts.contains_key(*uid));
        let gone: Vec<PodUid> = gone.map(|(uid, _)| uid.clone()).collect();
        for uid in gone {
            self.fronts.remove(&uid);
            if let Ok(name) = uid.as_str().parse() {
                self.liveness.forget_balancer(&name);
            }
        }
    }

    fn seen(&mut self, judgement: &Judgement, now: Time) -> Seen {
        let units = Arc::clone(&self.units);
        let mut feeds: BTreeMap<FeedUid, _> = BTreeMap::new();
        let mut owners: BTreeMap<FeedUid, (Epoch, Holder)> = BTreeMap::new();
        let held = self.held();
        for (uid, unit) in &units.all {
            let known = self.epochs.get(uid).copied().max(held.get(uid).copied());
            let feed = seen::feed(unit, &self.facts, known);
            if feed.lease.is_none() && feed.status.is_none() {
                self.fresh.entry(uid.clone()).or_insert(now);
            } else {
                self.fresh.remove(uid);
            }
            let newest = feed.lease.as_ref().filter(|it| it.sealed).map(|it| it.epoch).max(feed.status);
            if let Some(newest) = newest {
                let known = self.epochs.entry(uid.clone()).or_insert(newest);
                *known = newest.max(*known);
            }
            if let Some(lease) = feed.lease.as_ref().filter(|lease| lease.sealed) {
                owners.insert(uid.clone(), (lease.epoch, lease.holder.clone()));
            }
            feeds.insert(uid.clone(), feed);
        }
        self.epochs.retain(|uid, _| units.all.contains_key(uid));
        self.fresh.retain(|uid, _| units.all.contains_key(uid));
        let mut pods: BTreeMap<PodUid, PodSeen> = BTreeMap::new();
        let everybody = self.facts.servers.keys().chain(judgement.verdicts.keys());
        for uid in everybody {
            if !pods.contains_key(uid) {
                pods.insert(uid.clone(), self.pod(uid, judgement, &units, &owners));
            }
        }
        let mut pool = Pool::new(&self.facts, &pods);
        for (uid, feed) in &mut feeds {
            let Some(unit) = units.all.get(uid) else { continue };
            let owner = feed.lease.as_ref().filter(|lease| lease.sealed).map(|lease| &lease.holder.pod);
            let pod = owner.and_then(|owner| pods.get(owner));
            let well = pod.is_some_and(|pod| pod.verdict == Verdict::Alive && !pod.draining);
            feed.home = self.home(unit, owner, &pods, now);
            if !well {
                let waits = self.fresh.get(uid).is_some_and(|since| now.since(*since) < FIRST_HOME);
                feed.candidates = pool.candidates(unit, &self.facts, owner, waits);
            }
        }
        let front = |uid: &PodUid| {
            let name: BalancerId = uid.as_str().parse().ok()?;
            let fresh = self.liveness.is_fresh(&name, now);
            let told = self.fronts.get(uid).map(|front| &front.told);
            let seen =
                told.map_or_else(Default::default, |told| seen::balancer(told, &units, fresh, &owners));
            Some((name, seen))
        };
        let balancers = self.facts.balancers.iter().filter(|(uid, pod)| {
            (pod.ready && !pod.ends) || self.fronts.get(*uid).is_some_and(|front| front.connected)
        });
        let balancers = balancers.filter_map(|(uid, _)| front(uid)).collect();
        Seen { feeds, pods, balancers, listening: judgement.listening }
    }

    /// The newest epochs that pods say they hold: all that is left of a Stream's whose Lease was deleted.
    fn held(&self) -> BTreeMap<FeedUid, Epoch> {
        let mut newest: BTreeMap<FeedUid, Epoch> = BTreeMap::new();
        for (member, (epoch, _)) in self.servers.values().flat_map(|it| &it.said.holdings) {
            if let Some(unit) = self.units.of.get(member) {
                let known = newest.entry(unit.clone()).or_insert(*epoch);
                *known = (*known).max(*epoch);
            }
        }
        newest
    }

    fn pod(
        &self,
        uid: &PodUid,
        judgement: &Judgement,
        units: &Units,
        owners: &BTreeMap<FeedUid, (Epoch, Holder)>,
    ) -> PodSeen {
        let server = self.servers.get(uid);
        let facts = self.facts.servers.get(uid);
        let boot = self.liveness.boot(uid).cloned();
        let said = server.filter(|it| seen::is_of(&it.holder, uid, boot.as_ref())).map(|it| &it.said);
        let draining = facts.is_some_and(|facts| facts.draining)
            || said.is_some_and(|said| said.draining)
            || self.outgoing.contains(uid);
        let owner = |unit: &FeedUid| owners.get(unit).map(|(epoch, _)| *epoch);
        let owns = |unit: &FeedUid| owners.get(unit).is_some_and(|(_, holder)| holder.pod == *uid);
        PodSeen {
            verdict: judgement.verdicts.get(uid).copied().unwrap_or(Verdict::Silent),
            boot,
            draining,
            holdings: said.map(|said| seen::holdings(said, units, owner)).unwrap_or_default(),
            over: said.map(|said| seen::over(said, units, owns)).unwrap_or_default(),
        }
    }

    /// The pod of its own slot that can take it, where none of that slot has it, and that has been heard for a while.
    fn home(
        &self,
        unit: &super::units::Unit,
        owner: Option<&PodUid>,
        pods: &BTreeMap<PodUid, PodSeen>,
        now: Time,
    ) -> Option<PodUid> {
        if owner.and_then(|owner| self.facts.servers.get(owner)).is_some_and(|pod| pod.slot == unit.home) {
            return None;
        }
        let usable = |uid: &PodUid| {
            pods.get(uid)
                .is_some_and(|pod| pod.verdict == Verdict::Alive && pod.boot.is_some() && !pod.draining)
                && self.servers.get(uid).is_some_and(|it| owner.is_none() || now.since(it.since) >= AT_HOME)
        };
        let mut of_home = self
            .facts
            .servers
            .iter()
            .filter(|(uid, pod)| pod.slot == unit.home && (owner.is_none() || pod.ready) && usable(uid));
        of_home.next().map(|(uid, _)| uid.clone())
    }

    /// What pods own by their Leases is known before the first of them is told anything.
    fn open_books(&mut self, seen: &Seen) {
        let mut owned: BTreeMap<&Holder, Vec<(&FeedUid, &LeaseSeen)>> = BTreeMap::new();
        for (uid, feed) in &seen.feeds {
            if let Some(lease) = feed.lease.as_ref().filter(|lease| lease.sealed) {
                owned.entry(&lease.holder).or_default().push((uid, lease));
            }
        }
        self.books.retain(|pod| seen.pods.contains_key(pod));
        let first = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
        for (pod, server) in &self.servers {
            let Some(boot) = self.liveness.boot(pod).filter(|boot| **boot == server.holder.boot) else {
                continue;
            };
            let holder = Holder { pod: pod.clone(), boot: boot.clone() };
            let leases = owned.get(&holder).map_or(&[][..], Vec::as_slice);
            self.books.open(&holder, first, || {
                let grants = leases.iter().flat_map(|(uid, lease)| {
                    let grant = Grant { feed: (*uid).clone(), holder: holder.clone(), epoch: lease.epoch };
                    self.units.expand(&grant)
                });
                grants.collect()
            });
        }
    }

    fn tables(&mut self, seals: &Seals) -> Vec<(PodUid, Vec<Fence>)> {
        let Some(failover) = &self.failover else { return Vec::new() };
        let new: Vec<PodUid> = self
            .fronts
            .iter()
            .filter(|(_, front)| front.connected && !front.has_table)
            .map(|(uid, _)| uid.clone())
            .collect();
        if new.is_empty() {
            return Vec::new();
        }
        let table: Vec<Fence> = failover
            .table()
            .iter()
            .flat_map(|(grant, frames)| self.units.fences(grant, *frames, seals))
            .collect();
        for uid in &new {
            if let Some(front) = self.fronts.get_mut(uid) {
                front.has_table = true;
            }
        }
        new.into_iter().map(|uid| (uid, table.clone())).collect()
    }

    /// A grant is pushed to its holder: all that it owns now.
    pub fn push(&mut self, grant: &Grant, seals: &Seals) -> Option<Arc<Ownership>> {
        self.books.grant(&grant.holder, self.units.expand(grant));
        self.ownership(&grant.holder, seals)
    }

    /// A former owner is told of a grant.
    pub fn revoke(&mut self, to: &Holder, grant: &Grant, seals: &Seals) -> Option<Arc<Ownership>> {
        self.books.revoke(to, self.units.expand(grant));
        self.ownership(to, seals)
    }

    /// An owner is cleared.
    pub fn clear(&mut self, grant: &Grant, seals: &Seals) -> Option<Arc<Ownership>> {
        self.books.clear(&grant.holder, self.units.expand(grant));
        self.ownership(&grant.holder, seals)
    }

    fn ownership(&self, holder: &Holder, seals: &Seals) -> Option<Arc<Ownership>> {
        self.books.ownership(holder, &self.units, seals)
    }

    /// What a pod that has connected again is told, if it is the same run of it.
    pub fn again(&self, uid: &str, seals: &Seals) -> Option<Arc<Ownership>> {
        let server = self.servers.get(&PodUid::new(uid).ok()?)?;
        self.ownership(&server.holder, seals)
    }

    /// What everybody owns, signed with new keys.
    pub fn signed_anew(&mut self, seals: &Seals) -> Vec<(PodUid, Arc<Ownership>)> {
        self.books.turn();
        let one = |holder: Holder| Some((holder.pod.clone(), self.ownership(&holder, seals)?));
        self.books.holders().into_iter().filter_map(one).collect()
    }

    /// A pod's facts, and its name where only its connection is known.
    pub fn pod_facts(&self, uid: &PodUid) -> Option<&PodFacts> {
        self.facts.servers.get(uid)
    }

    /// A pod's name.
    pub fn name_of(&self, uid: &PodUid) -> String {
        let known = self.facts.servers.get(uid).map(|pod| &pod.name);
        known.or_else(|| self.servers.get(uid).map(|it| &it.name)).cloned().unwrap_or_default()
    }

    /// Balancers that are connected, and what they carry: sessions, bits per second, and whether they drain.
    pub fn loads(&self) -> BTreeMap<PodUid, (u32, u64, bool)> {
        let connected = self.fronts.iter().filter(|(_, front)| front.connected);
        connected.map(|(uid, front)| (uid.clone(), (front.load.0, front.load.1, front.draining))).collect()
    }

    /// Connected media pods: server pods, and balancers.
    pub fn connected(&self) -> (Vec<PodUid>, Vec<PodUid>) {
        let servers = self.servers.iter().filter(|(_, it)| it.connected).map(|(uid, _)| uid.clone());
        let fronts = self.fronts.iter().filter(|(_, it)| it.connected).map(|(uid, _)| uid.clone());
        (servers.collect(), fronts.collect())
    }

    /// For how long each pod has been emptied.
    pub fn drained_for(&self, now: Time) -> BTreeMap<PodUid, Duration> {
        self.draining.iter().map(|(uid, since)| (uid.clone(), now.since(*since))).collect()
    }
}

impl Units {
    /// The grants of a unit's members.
    pub fn expand(&self, grant: &Grant) -> Vec<Grant> {
        let members = self.all.get(&grant.feed).into_iter().flat_map(|unit| &unit.members);
        members.map(|member| Grant { feed: member.uid.clone(), ..grant.clone() }).collect()
    }

    /// What balancers are told of a unit's grant.
    pub fn fences(&self, grant: &Grant, frames: bool, seals: &Seals) -> Vec<Fence> {
        let one = |grant: Grant| Fence { feed: grant.feed.to_string(), grant: seals.sign(&grant), frames };
        self.expand(grant).into_iter().map(one).collect()
    }
}

fn links(said: &BTreeMap<String, LinkState>) -> BTreeMap<PodUid, Link> {
    let one = |(pod, state): (&String, &LinkState)| {
        let link = match state {
            LinkState::Up { age } => Link::Up(Duration::from_millis(*age)),
            LinkState::ClosedByPeer => Link::ClosedByPeer,
            LinkState::Lost => Link::Lost,
        };
        Some((PodUid::new(pod).ok()?, link))
    };
    said.iter().filter_map(one).collect()
}

/// What matters at once of links: not how long ago something was heard.
fn kinds(links: &BTreeMap<PodUid, Link>) -> Vec<(&PodUid, u8)> {
    let kind = |link: &Link| match link {
        Link::Up(_) => 0,
        Link::ClosedByPeer => 1,
        Link::Lost => 2,
    };
    links.iter().map(|(pod, link)| (pod, kind(link))).collect()
}

fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let differs = *old != new;
    *old = new;
    differs
}

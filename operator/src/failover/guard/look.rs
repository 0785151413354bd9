//! One look at everything that is known: what is to be done.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use millrace_fencing::{
    BalancerId, Epoch, FeedUid, Holder, PodUid, Time,
    failover::{Chain, Drain, Order, PodSeen, Seen},
    liveness::{Judgement, Kubernetes, Paused, Verdict},
};
use millrace_report::message::Fence;

use super::{Anew, Guard};
use crate::failover::{
    seal::Seals,
    seen::{self, Pool},
    units::{Unit, Units},
};

/// How long a pod must have been heard before what belongs to it comes back.
const AT_HOME: Duration = Duration::from_secs(5);
/// What never had an owner waits so long for a pod of its own slot, before another pod has it.
const FIRST_HOME: Duration = Duration::from_secs(10);
/// What nobody can take is said after so long: another pod may be about to come.
const WAITS: Duration = Duration::from_secs(5);
/// How long a pod that is to be deleted may take to go before that is asked for again.
const DELETING: Duration = Duration::from_secs(30);
/// For so long nothing is failed over because of silence, when somebody has said go on.
const RESUMED: Duration = Duration::from_mins(1);

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
    /// Pods on cordoned nodes that have something which nobody can take.
    pub waits: BTreeSet<PodUid>,
    /// Grants that are to be signed with the key that is in use now.
    pub anew: Vec<Anew>,
    /// Pods that are silent, or believed to be gone.
    pub silent: usize,
    /// Something is under way: look again soon.
    pub busy: bool,
}

impl Guard {
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
        look.waits = self.waiting(&seen, now);
        if !seen.listening {
            look.anew = self.anew(&seen, &look.chains);
            look.busy |= !self.signing.is_empty();
        }
        if !seen.listening {
            look.tables = self.tables(seals);
        }
        look
    }

    /// Pods on cordoned nodes whose work has waited for a while, since no pod can take it.
    fn waiting(&self, seen: &Seen, now: Time) -> BTreeSet<PodUid> {
        let cordoned = |uid: &PodUid| self.facts.servers.get(uid).is_some_and(|it| it.cordoned && !it.ends);
        let long = |uid: &PodUid| self.draining.get(uid).is_some_and(|since| now.since(*since) >= WAITS);
        let alone = seen.feeds.values().filter(|feed| feed.candidates.is_empty());
        let owners = alone.filter_map(|feed| Some(&feed.lease.as_ref()?.holder.pod));
        owners.filter(|uid| cordoned(uid) && long(uid)).cloned().collect()
    }

    /// Whether a unit has an owner that beats, says that it has it, and is cleared.
    pub(super) fn is_settled(uid: &FeedUid, seen: &Seen) -> bool {
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
        let mut owners = BTreeSet::new();
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
            let mut feed = seen::feed(unit, &self.facts, known);
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
            if !feed.lease.as_ref().is_some_and(|lease| lease.sealed)
                && let Some(status) = feed.status
                && seen::is_disputed(status, self.claims(unit))
            {
                // As if that number were used up.
                feed.status = Epoch::after(None, feed.status, None).ok().or(feed.status);
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

    /// Who owns members of a unit in which epochs, as Leases, balancers and pods say.
    fn claims(&self, unit: &Unit) -> impl Iterator<Item = (Epoch, &Holder)> {
        unit.members.iter().flat_map(|member| {
            let lease = self.facts.leases.get(&member.lease).and_then(|read| read.grant.as_ref());
            let lease = lease.filter(|grant| grant.feed == member.uid);
            let told = self.fronts.values().filter_map(|front| front.told.newest.get(&member.uid));
            let held = self.servers.values().filter_map(|server| {
                let (epoch, _) = server.said.holdings.get(&member.uid)?;
                Some((*epoch, &server.holder))
            });
            let lease = lease.map(|grant| (grant.epoch, &grant.holder));
            lease.into_iter().chain(told.map(|(epoch, holder)| (*epoch, holder))).chain(held)
        })
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
        let has_any = || {
            said.is_some_and(|said| !said.holdings.is_empty())
                || owners.values().any(|(_, holder)| holder.pod == *uid)
        };
        // Without an object it ends soon: what it has is moved while it lives.
        let draining = facts.map_or_else(has_any, |facts| facts.draining)
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
        unit: &Unit,
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
}

//! One look at everything.

use std::{collections::BTreeMap, time::Duration};

use super::{
    memory::{Memory, Pending},
    order::{Chain, Decision, Drain, Order, Why},
    seen::{Candidate, FeedSeen, LeaseSeen, PodSeen, Seen},
    settle,
};
use crate::{
    epoch::Epoch,
    grant::Grant,
    id::{FeedUid, Holder, PodUid},
    liveness::{Cause, Verdict},
    settings::Settings,
    time::Time,
};

/// What a feed needs.
enum Need {
    /// Nothing new.
    Settled(LeaseSeen),
    /// A new epoch for the same pod, whatever its boot.
    Again(Holder, Why),
    /// Another pod, because there is none.
    Other(Why),
    /// Another pod, when it is its turn.
    Move(LeaseSeen),
    /// The pod that it belongs to, when it is its turn.
    Home(LeaseSeen, Holder),
    /// A Lease for an owner that is known otherwise.
    Lease(Grant),
    /// To wait until more is known.
    Wait,
}

pub(super) struct Pass<'a> {
    pub(super) settings: &'a Settings,
    pub(super) seen: &'a Seen,
    pub(super) now: Time,
    tokens: &'a mut u64,
    /// Feeds per pod, with those of this pass.
    load: BTreeMap<PodUid, usize>,
    /// Feeds per pod by the Leases, before this pass.
    owned: BTreeMap<PodUid, usize>,
    /// Who says that it holds a feed, and is not known to be gone.
    held: BTreeMap<&'a FeedUid, Vec<(Epoch, Holder)>>,
    pub(super) decision: Decision,
}

impl<'a> Pass<'a> {
    pub(super) fn new(settings: &'a Settings, seen: &'a Seen, now: Time, tokens: &'a mut u64) -> Self {
        let mut load = BTreeMap::new();
        for lease in seen.feeds.values().filter_map(|feed| feed.lease.as_ref()) {
            *load.entry(lease.holder.pod.clone()).or_default() += 1;
        }
        let mut held: BTreeMap<&FeedUid, Vec<(Epoch, Holder)>> = BTreeMap::new();
        for (uid, pod) in seen.pods.iter().filter(|(_, pod)| !pod.dead()) {
            let Some(boot) = &pod.boot else { continue };
            for holding in &pod.holdings {
                let holder = Holder { pod: uid.clone(), boot: boot.clone() };
                held.entry(&holding.feed).or_default().push((holding.epoch, holder));
            }
        }
        let owned = load.clone();
        Self { settings, seen, now, tokens, load, owned, held, decision: Decision::default() }
    }

    /// Others that say that they hold an older epoch of the feed.
    pub(super) fn older(&self, grant: &Grant) -> Vec<Holder> {
        let all = self.held.get(&grant.feed).into_iter().flatten();
        let old = all.filter(|(epoch, holder)| *epoch < grant.epoch && *holder != grant.holder);
        old.map(|(_, holder)| holder.clone()).collect()
    }

    /// Who says that it holds the newest epoch of a feed.
    fn holder(&self, feed: &FeedUid) -> Option<Holder> {
        self.held.get(feed)?.iter().max().map(|(_, holder)| holder.clone())
    }

    pub(super) fn run(&mut self, memories: &mut BTreeMap<FeedUid, Memory>) {
        let mut moving = memories.values().filter(|memory| memory.under_way()).count();
        let mut needs = Vec::new();
        for (uid, feed) in &self.seen.feeds {
            let memory = memories.entry(uid.clone()).or_default();
            if memory.busy {
                continue;
            }
            let need = self.need(uid, feed, memory);
            needs.push((urgency(&need, feed), uid, feed, need));
        }
        needs.sort_by_key(|(urgency, ..)| *urgency);
        for (_, uid, feed, need) in needs {
            let memory = memories.entry(uid.clone()).or_default();
            let chain = match need {
                Need::Wait => None,
                Need::Settled(lease) => settle::settle(self, uid, &lease, memory),
                Need::Lease(grant) => Some(restore(uid, feed, grant)),
                Need::Again(holder, why) => self.again(uid, feed, memory, holder, why),
                Need::Other(why) => self.elsewhere(uid, feed, memory, why),
                Need::Move(lease) => {
                    let turn = moving < self.settings.moves_at_once;
                    let chain = turn.then(|| self.elsewhere(uid, feed, memory, Why::Drained)).flatten();
                    moving += usize::from(chain.is_some());
                    chain.or_else(|| settle::settle(self, uid, &lease, memory))
                }
                Need::Home(lease, home) => {
                    let turn = moving < self.settings.moves_at_once;
                    let chain = turn.then(|| self.change(uid, feed, memory, home, Why::Home)).flatten();
                    moving += usize::from(chain.is_some());
                    chain.or_else(|| settle::settle(self, uid, &lease, memory))
                }
            };
            if let Some(chain) = chain {
                memory.busy = true;
                self.decision.chains.push(chain);
            }
        }
        self.pods();
    }

    fn need(&self, uid: &FeedUid, feed: &FeedSeen, memory: &mut Memory) -> Need {
        let announced = self.seen.announced(uid);
        let Some(lease) = feed.lease.as_ref().filter(|lease| counts(lease, feed, announced.as_ref())) else {
            return self.without_lease(uid, feed, announced.as_ref());
        };
        memory.see(lease, self.now);
        let Some(pod) = self.seen.pods.get(&lease.holder.pod) else {
            return Need::Other(Why::Failed(Cause::Gone));
        };
        match (pod.verdict, &pod.boot) {
            (Verdict::Dead(cause), _) => Need::Other(Why::Failed(cause)),
            (Verdict::Alive, Some(boot)) if *boot != lease.holder.boot => Self::again_or_other(
                pod,
                Holder { pod: lease.holder.pod.clone(), boot: boot.clone() },
                Why::Restarted,
            ),
            (Verdict::Alive, Some(_)) if pod.over.get(uid) >= Some(&lease.epoch) => {
                Self::again_or_other(pod, lease.holder.clone(), Why::LeaseLost)
            }
            (Verdict::Alive, Some(_)) if pod.draining && !memory.under_way() => Need::Move(lease.clone()),
            (Verdict::Alive, Some(_)) if !memory.under_way() && memory.fenced >= Some(lease.epoch) => {
                let home = self.home(feed, &lease.holder.pod);
                home.map_or_else(|| Need::Settled(lease.clone()), |home| Need::Home(lease.clone(), home))
            }
            _ => Need::Settled(lease.clone()),
        }
    }

    /// Where it belongs, if that is another pod than the one that has it, and can take it.
    fn home(&self, feed: &FeedSeen, owner: &PodUid) -> Option<Holder> {
        let home = feed.home.as_ref().filter(|home| *home != owner)?;
        let boot = self.seen.pods.get(home)?.usable()?.clone();
        Some(Holder { pod: home.clone(), boot })
    }

    fn again_or_other(pod: &PodSeen, holder: Holder, why: Why) -> Need {
        if pod.draining { Need::Other(why) } else { Need::Again(holder, why) }
    }

    fn without_lease(&self, uid: &FeedUid, feed: &FeedSeen, announced: Option<&(Epoch, Holder)>) -> Need {
        let lease = feed.lease.as_ref().map(|lease| lease.holder.clone());
        let known = announced.map(|(_, holder)| holder.clone()).or_else(|| self.holder(uid)).or(lease);
        let Some((holder, pod)) = known.and_then(|h| self.seen.pods.get(&h.pod).map(|pod| (h, pod))) else {
            return Need::Other(if feed.status.is_some() { Why::LeaseLost } else { Why::First });
        };
        match (pod.verdict, &pod.boot) {
            (Verdict::Dead(cause), _) => Need::Other(Why::Failed(cause)),
            (Verdict::Alive, Some(boot)) => {
                let same = *boot == holder.boot;
                let whole = !pod.over.contains_key(uid);
                if let Some(&(epoch, _)) = announced
                    && feed.status == Some(epoch)
                    && same
                    && whole
                {
                    return Need::Lease(Grant { feed: uid.clone(), holder, epoch });
                }
                let why = if same { Why::LeaseLost } else { Why::Restarted };
                Self::again_or_other(pod, Holder { pod: holder.pod, boot: boot.clone() }, why)
            }
            _ => Need::Wait,
        }
    }

    fn usable(&self, candidate: &Candidate) -> bool {
        self.seen.pods.get(&candidate.pod).is_some_and(|pod| pod.usable().is_some())
    }

    /// The standby, else the pod that it belongs to, else the least loaded, else the planner's first choice among equals.
    fn place(&self, feed: &FeedSeen) -> Option<Holder> {
        let load = |c: &&Candidate| {
            let away = feed.home.as_ref() != Some(&c.pod);
            (!c.warm, away, self.load.get(&c.pod).copied().unwrap_or(0))
        };
        let best = feed.candidates.iter().filter(|c| self.usable(c)).min_by_key(load)?;
        let boot = self.seen.pods.get(&best.pod)?.usable()?.clone();
        Some(Holder { pod: best.pod.clone(), boot })
    }

    fn elsewhere(&mut self, uid: &FeedUid, feed: &FeedSeen, memory: &mut Memory, why: Why) -> Option<Chain> {
        let Some(holder) = self.place(feed) else {
            return self.new_pod(uid, memory, why);
        };
        if why != Why::Drained && !self.take_token() {
            return None;
        }
        self.change(uid, feed, memory, holder, why)
    }

    fn again(
        &mut self,
        uid: &FeedUid,
        feed: &FeedSeen,
        memory: &mut Memory,
        holder: Holder,
        why: Why,
    ) -> Option<Chain> {
        if !self.take_token() {
            return None;
        }
        self.change(uid, feed, memory, holder, why)
    }

    fn take_token(&mut self) -> bool {
        let left = self.tokens.checked_sub(1000);
        *self.tokens = left.unwrap_or(*self.tokens);
        left.is_some()
    }

    /// A new owner: the number first, then the Lease, then the grant. A number without a Lease was given to nobody.
    fn change(
        &mut self,
        uid: &FeedUid,
        feed: &FeedSeen,
        memory: &mut Memory,
        holder: Holder,
        why: Why,
    ) -> Option<Chain> {
        let announced = self.seen.announced(uid).map(|(epoch, _)| epoch);
        let lease = feed.lease.as_ref();
        let epoch = Epoch::after(lease.map(|lease| lease.epoch), feed.status, announced).ok()?;
        *self.load.entry(holder.pod.clone()).or_default() += 1;
        let first = lease.is_none() && feed.status.is_none() && announced.is_none();
        let before = if first { Some(BTreeMap::new()) } else { memory.next_before() };
        // Whether the former owner is the one that the Lease names, nobody knows where it does not count.
        let before = before.filter(|_| why != Why::LeaseLost);
        let planned = why.is_planned();
        memory.pending = Some(Pending { epoch, holder: holder.clone(), before, planned });
        let grant = Grant { feed: uid.clone(), holder, epoch };
        let orders = vec![
            Order::Reserve { feed: uid.clone(), from: feed.status, epoch },
            Order::WriteLease { grant: grant.clone(), version: lease.map(|lease| lease.version.clone()) },
            Order::Configure { pod: grant.holder.pod.clone(), feed: uid.clone() },
            Order::Push { grant },
        ];
        Some(Chain { feed: Some(uid.clone()), why, orders })
    }

    fn new_pod(&mut self, uid: &FeedUid, memory: &mut Memory, why: Why) -> Option<Chain> {
        if why != Why::Drained {
            self.decision.homeless.push(uid.clone());
        }
        // A pod that ended its bus is started anew where it is, most likely before a new one is there.
        let patience = match why {
            Why::Failed(Cause::Reset) => self.settings.silence(),
            _ => Duration::ZERO,
        };
        let since = *memory.homeless.get_or_insert(self.now);
        let asked = memory.asked.is_some_and(|asked| self.now.since(asked) < self.settings.new_pod_every);
        if asked || self.now.since(since) < patience {
            return None;
        }
        memory.asked = Some(self.now);
        Some(Chain { feed: Some(uid.clone()), why, orders: vec![Order::CreatePod { feed: uid.clone() }] })
    }

    fn pods(&mut self) {
        for (uid, pod) in &self.seen.pods {
            let owned = self.owned.get(uid).copied().unwrap_or(0);
            if pod.draining && !pod.dead() {
                self.decision.drains.push(Drain { pod: uid.clone(), left: owned.max(pod.holdings.len()) });
            }
            if owned == 0 && matches!(pod.verdict, Verdict::Dead(Cause::Silence | Cause::Terminated)) {
                let orders = vec![Order::DeletePod { pod: uid.clone() }];
                self.decision.chains.push(Chain { feed: None, why: Why::CarriedOn, orders });
            }
        }
    }
}

/// A Lease counts if the operator wrote it, and nothing newer is known.
fn counts(lease: &LeaseSeen, feed: &FeedSeen, announced: Option<&(Epoch, Holder)>) -> bool {
    let newest = announced.is_none_or(|(epoch, holder)| {
        *epoch < lease.epoch || (*epoch == lease.epoch && *holder == lease.holder)
    });
    lease.sealed && newest && feed.status.is_none_or(|status| status <= lease.epoch)
}

fn restore(uid: &FeedUid, feed: &FeedSeen, grant: Grant) -> Chain {
    let version = feed.lease.as_ref().map(|lease| lease.version.clone());
    Chain { feed: Some(uid.clone()), why: Why::LeaseLost, orders: vec![Order::WriteLease { grant, version }] }
}

/// Failures come before plans, and among them those first that can be mended in an instant.
fn urgency(need: &Need, feed: &FeedSeen) -> u8 {
    match need {
        Need::Home(..) => 5,
        Need::Move(_) => 4,
        Need::Other(_) if feed.candidates.iter().any(|c| c.warm) => 0,
        Need::Other(_) | Need::Again(..) => 1,
        Need::Lease(_) => 2,
        Need::Settled(_) | Need::Wait => 3,
    }
}

//! What the engine is shown: units as if each were one Feed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use millrace_fencing::{
    BootId, Epoch, FeedUid, Holder, PodUid,
    failover::{BalancerSeen, Candidate, FeedSeen, LeaseSeen, PodSeen},
    liveness::Verdict,
    tenure::Holding,
};

use super::{
    facts::Facts,
    seal::Read,
    units::{Kind, Unit, Units},
};

/// Candidates that a unit is offered beside those of its own slot: enough to choose from, and few among thousands.
const OFFERED: usize = 16;
/// In the place of the version of a Lease that is not there.
pub const ABSENT: &str = "-";

/// What a pod said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What it holds, by member.
    pub holdings: BTreeMap<FeedUid, (Epoch, bool)>,
    /// What it has stopped because others own it.
    pub over: BTreeMap<FeedUid, Epoch>,
    /// It drains by itself.
    pub draining: bool,
}

/// What a balancer said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The newest owner of each member.
    pub newest: BTreeMap<FeedUid, (Epoch, Holder)>,
    /// Below which nobody is vouched for.
    pub floors: BTreeMap<FeedUid, Epoch>,
}

/// The Leases of a unit as one: nothing where there is none at all. It is sealed where each member's names the same holder and epoch.
pub fn lease(unit: &Unit, leases: &BTreeMap<String, Read>) -> Option<LeaseSeen> {
    let read: Vec<Option<&Read>> = unit.members.iter().map(|member| leases.get(&member.lease)).collect();
    read.iter().flatten().next()?;
    let grants = || {
        unit.members.iter().zip(&read).map(|(member, read)| {
            read.and_then(|read| read.grant.as_ref()).filter(|grant| grant.feed == member.uid)
        })
    };
    let versions: Vec<&str> = read.iter().map(|read| read.map_or(ABSENT, |read| &*read.version)).collect();
    let version = versions.join(",").into();
    let newest = grants().flatten().max_by_key(|grant| grant.epoch);
    let Some(newest) = newest else {
        // Somebody else's: it names nobody.
        let nobody = "nobody_nobody".parse().ok()?;
        return Some(LeaseSeen { holder: nobody, epoch: Epoch::FIRST, version, sealed: false });
    };
    let same = |grant: Option<&millrace_fencing::Grant>| {
        grant.is_some_and(|it| it.holder == newest.holder && it.epoch == newest.epoch)
    };
    let sealed = grants().all(same);
    Some(LeaseSeen { holder: newest.holder.clone(), epoch: newest.epoch, version, sealed })
}

/// Whether members are known to have different owners in one epoch: those of what became one unit just now may have. No
/// Lease is put back in that epoch then, for it would be a second owner's.
pub fn is_disputed<'a>(epoch: Epoch, claims: impl Iterator<Item = (Epoch, &'a Holder)>) -> bool {
    let holders: BTreeSet<&Holder> =
        claims.filter(|(of, _)| *of == epoch).map(|(_, holder)| holder).collect();
    holders.len() > 1
}

/// The newest epoch that was reserved for any member. A Stream has no place for it: `known` is what this leader knows.
pub fn status(unit: &Unit, facts: &Facts, known: Option<Epoch>) -> Option<Epoch> {
    match unit.members.first()?.kind {
        Kind::Stream => known,
        Kind::Feed => unit.members.iter().filter_map(|member| facts.statuses.get(&member.uid).copied()).max(),
    }
}

/// What the pods hold, unit by unit.
pub fn holdings(said: &Said, units: &Units, owner: impl Fn(&FeedUid) -> Option<Epoch>) -> Vec<Holding> {
    let touched: BTreeSet<&FeedUid> =
        said.holdings.keys().filter_map(|member| units.of.get(member)).collect();
    let one = |uid: &FeedUid| {
        let unit = units.all.get(uid)?;
        let held: Vec<_> = unit.members.iter().filter_map(|member| said.holdings.get(&member.uid)).collect();
        let epoch = held.iter().map(|(epoch, _)| *epoch).min()?;
        // With a part of what it is to own now it does not own it yet.
        let whole = held.len() == unit.members.len();
        let counts = whole || owner(uid).is_none_or(|owner| epoch < owner);
        let cleared = whole && held.iter().all(|(_, cleared)| *cleared);
        counts.then(|| Holding { feed: uid.clone(), epoch, cleared })
    };
    touched.into_iter().filter_map(one).collect()
}

/// What a pod has stopped. Of what it is to own now any member counts; else it has stopped when all have.
pub fn over(said: &Said, units: &Units, owns: impl Fn(&FeedUid) -> bool) -> BTreeMap<FeedUid, Epoch> {
    let touched: BTreeSet<&FeedUid> = said.over.keys().filter_map(|member| units.of.get(member)).collect();
    let one = |uid: &FeedUid| {
        let unit = units.all.get(uid)?;
        let over = || unit.members.iter().map(|member| said.over.get(&member.uid).copied());
        let epoch = if owns(uid) { over().flatten().max()? } else { over().min().flatten()? };
        Some((uid.clone(), epoch))
    };
    touched.into_iter().filter_map(one).collect()
}

/// What a balancer knows, unit by unit. `leases` are the sealed ones.
pub fn balancer(
    told: &Told,
    units: &Units,
    fresh: bool,
    leases: &BTreeMap<FeedUid, (Epoch, Holder)>,
) -> BalancerSeen {
    let mut seen = BalancerSeen { fresh, ..BalancerSeen::default() };
    for (uid, unit) in &units.all {
        let known = || unit.members.iter().filter_map(|member| told.newest.get(&member.uid));
        let newest = known().max();
        let lease = leases.get(uid);
        let newest = match lease {
            // Something newer than the Lease, or another in its epoch.
            Some(lease) if newest > Some(lease) => newest.cloned(),
            // All paths must be known with the owner; of what is never announced there is nothing to know.
            Some(lease) => {
                let mut announced = unit.members.iter().filter(|member| member.announced).peekable();
                match announced.peek() {
                    None => Some(lease.clone()),
                    Some(_) => announced.map(|member| told.newest.get(&member.uid)).min().flatten().cloned(),
                }
            }
            None => newest.cloned(),
        };
        if let Some(newest) = newest {
            seen.newest.insert(uid.clone(), newest);
        }
        let floor = unit.members.iter().map(|member| told.floors.get(&member.uid).copied()).min().flatten();
        if let Some(floor) = floor {
            seen.floors.insert(uid.clone(), floor);
        }
    }
    seen
}

/// The pods that may take over, by what their containers can run.
#[derive(Debug, Default)]
pub struct Pool<'a> {
    /// Those that beat, and are not being emptied.
    usable: Vec<&'a PodUid>,
    turn: usize,
}

impl<'a> Pool<'a> {
    /// Of these pods.
    pub fn new(facts: &'a Facts, pods: &BTreeMap<PodUid, PodSeen>) -> Self {
        let good = |uid: &&PodUid| {
            pods.get(*uid)
                .is_some_and(|pod| pod.verdict == Verdict::Alive && pod.boot.is_some() && !pod.draining)
        };
        Self { usable: facts.servers.keys().filter(good).collect(), turn: 0 }
    }

    /// Those that can run a unit: pods of its own slot first, then, unless it `waits` for one of those, others, which take
    /// turns.
    pub fn candidates(
        &mut self,
        unit: &Unit,
        facts: &Facts,
        owner: Option<&PodUid>,
        waits: bool,
    ) -> Vec<Candidate> {
        let of_home = |uid: &&PodUid| facts.servers.get(*uid).is_some_and(|pod| pod.slot == unit.home);
        let at_home: Vec<&PodUid> = self.usable.iter().copied().filter(of_home).collect();
        let warm = |uid: &PodUid| unit.standby && owner != Some(uid);
        let mut all: Vec<Candidate> =
            at_home.iter().map(|uid| Candidate { pod: (*uid).clone(), warm: warm(uid) }).collect();
        if unit.tied || waits {
            return all;
        }
        let can = |uid: &&&PodUid| {
            facts
                .servers
                .get(**uid)
                .is_some_and(|pod| pod.slot != unit.home && unit.images.is_subset(&pod.images))
        };
        let from = self.turn % self.usable.len().max(1);
        let (before, after) = self.usable.split_at(from.min(self.usable.len()));
        let others = after.iter().chain(before).filter(can).take(OFFERED);
        all.extend(others.map(|uid| Candidate { pod: (*uid).clone(), warm: false }));
        self.turn = self.turn.wrapping_add(OFFERED);
        all
    }
}

/// What is shown of a unit, but for its candidates.
pub fn feed(unit: &Unit, facts: &Facts, known: Option<Epoch>) -> FeedSeen {
    FeedSeen { lease: lease(unit, &facts.leases), status: status(unit, facts, known), ..FeedSeen::default() }
}

/// The boot of a pod by its holder.
pub fn is_of(holder: &Holder, pod: &PodUid, boot: Option<&BootId>) -> bool {
    holder.pod == *pod && Some(&holder.boot) == boot
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;

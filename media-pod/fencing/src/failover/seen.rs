//! What a leader sees when it decides.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    epoch::Epoch,
    grant::Grant,
    id::{BalancerId, BootId, FeedUid, Holder, PodUid},
    liveness::Verdict,
    tenure::Holding,
};

/// All that a leader sees.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Every Feed that should have an owner.
    pub feeds: BTreeMap<FeedUid, FeedSeen>,
    /// Every server pod.
    pub pods: BTreeMap<PodUid, PodSeen>,
    /// Every balancer that there should be, whether it reports or not.
    pub balancers: BTreeMap<BalancerId, BalancerSeen>,
    /// The leader is new and listens ([`crate::liveness::Judgement::listening`]): nothing is begun.
    pub listening: bool,
}

/// A Feed.
#[derive(Clone, Debug, Default)]
pub struct FeedSeen {
    /// Its Lease, if there is one.
    pub lease: Option<LeaseSeen>,
    /// `Feed.status.epoch`.
    pub status: Option<Epoch>,
    /// Pods that may run it, the planner's first choice first. Where none can, a new pod is asked for.
    pub candidates: Vec<Candidate>,
    /// The pod that it belongs to. Where another has it and this one can take it, it is moved there. It comes after a
    /// standby and before those that are less loaded.
    pub home: Option<PodUid>,
}

/// A Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSeen {
    /// Its `holderIdentity`.
    pub holder: Holder,
    /// Its epoch (`leaseTransitions`).
    pub epoch: Epoch,
    /// Its `resourceVersion`.
    pub version: Arc<str>,
    /// Whether it carries a grant, signed by the operator, for this feed, holder and epoch. Without, somebody else has
    /// written it, and it counts for nothing.
    pub sealed: bool,
}

/// A pod that may run a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The pod.
    pub pod: PodUid,
    /// Whether it is the feed's standby, and runs it already.
    pub warm: bool,
}

/// A server pod.
#[derive(Clone, Debug)]
pub struct PodSeen {
    /// Whether it is alive.
    pub verdict: Verdict,
    /// The boot that it beats with; nothing if it was not heard yet.
    pub boot: Option<BootId>,
    /// Whether it is to be emptied: by annotation, because its node is, or because it was told to end.
    pub draining: bool,
    /// What it holds, as its last beat says.
    pub holdings: Vec<Holding>,
    /// What it has stopped because others own it, and in which epoch.
    pub over: BTreeMap<FeedUid, Epoch>,
}

/// A balancer.
#[derive(Clone, Debug, Default)]
pub struct BalancerSeen {
    /// Whether it reports ([`crate::Liveness::is_fresh`]).
    pub fresh: bool,
    /// The newest owner of each feed that was announced to it.
    pub newest: BTreeMap<FeedUid, (Epoch, Holder)>,
    /// The epochs of which it was told ([`crate::Directory::floors`]).
    pub floors: BTreeMap<FeedUid, Epoch>,
}

impl PodSeen {
    /// It beats, and may be given work.
    pub(super) fn usable(&self) -> Option<&BootId> {
        self.boot.as_ref().filter(|_| self.verdict == Verdict::Alive && !self.draining)
    }

    pub(super) fn dead(&self) -> bool {
        matches!(self.verdict, Verdict::Dead(_))
    }

    pub(super) fn holding(&self, feed: &FeedUid) -> Option<&Holding> {
        self.holdings.iter().find(|holding| holding.feed == *feed)
    }
}

impl Seen {
    /// The newest owner that was announced to any balancer.
    pub(super) fn announced(&self, feed: &FeedUid) -> Option<(Epoch, Holder)> {
        self.balancers.values().filter_map(|b| b.newest.get(feed)).max().cloned()
    }

    /// Whether every balancer that reports knows this owner; at least one.
    pub(super) fn known_everywhere(&self, grant: &Grant) -> bool {
        let knows = |b: &BalancerSeen| {
            b.newest.get(&grant.feed).is_some_and(|(epoch, holder)| {
                *epoch > grant.epoch || (*epoch == grant.epoch && *holder == grant.holder)
            })
        };
        let mut fresh = self.balancers.values().filter(|b| b.fresh).peekable();
        fresh.peek().is_some() && fresh.all(knows)
    }

    /// Whether at least half of all balancers know that nothing older is to be vouched for.
    pub(super) fn floor_known(&self, feed: &FeedUid, epoch: Epoch) -> bool {
        let knows = |b: &&BalancerSeen| b.floors.get(feed).is_some_and(|floor| *floor >= epoch);
        self.balancers.values().filter(knows).count() * 2 >= self.balancers.len()
    }

    /// Whether a former owner, of that epoch, is known to have stopped and cannot begin again.
    pub(super) fn stopped(&self, feed: &FeedUid, holder: &Holder, epoch: Epoch) -> bool {
        let Some(pod) = self.pods.get(&holder.pod) else {
            return false;
        };
        pod.verdict == Verdict::Dead(crate::liveness::Cause::Terminated)
            || pod.boot.as_ref().is_some_and(|boot| *boot != holder.boot)
            || pod.over.get(feed).is_some_and(|over| *over > epoch)
    }
}

//! Who is alive: what one replica of the operator hears, sees closed, and is told.

mod freeze;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub use self::{
    freeze::Paused,
    verdict::{Cause, Verdict},
};
use crate::{
    id::{BalancerId, BootId, Holder, PodUid},
    settings::Settings,
    time::Time,
};

/// What Kubernetes says of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kubernetes {
    /// It is there.
    #[default]
    Present,
    /// Its kubelet says that its containers have ended for good: the one proof that it does nothing any more. (A phase
    /// `Failed` that the pod collector wrote because a node is gone is no such proof.)
    Terminated,
    /// There is no such object. Whether it still runs on a node that is cut off, nobody knows.
    Gone,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The other end closed or reset it. Its kernel does so at once when the process is killed.
    ByPeer,
    /// It timed out, was unreachable, or we closed it.
    Lost,
}

/// What a balancer says of its link to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It is up, and this old is what was heard last.
    Up(Duration),
    /// The pod has closed it.
    ClosedByPeer,
    /// It is lost.
    Lost,
}

#[derive(Clone, Debug)]
struct Pod {
    node: Option<String>,
    kubernetes: Kubernetes,
    boot: Option<BootId>,
    /// The connection that this boot was heard on.
    connection: u64,
    /// When it was heard last, or first expected.
    last: Time,
    closed: Option<(Closed, Time)>,
    /// It was believed to be gone, and has not been heard since.
    convicted: bool,
}

#[derive(Clone, Debug, Default)]
struct Balancer {
    reported: Option<Time>,
    links: BTreeMap<PodUid, Link>,
}

/// What one replica of the operator knows of who is alive. Every replica keeps one, so that a new leader has heard what
/// the old one heard.
#[derive(Clone, Debug)]
pub struct Liveness {
    settings: Settings,
    leader_since: Option<Time>,
    pods: BTreeMap<PodUid, Pod>,
    balancers: BTreeMap<BalancerId, Balancer>,
    resumed_until: Option<Time>,
    /// When too many were silent last, and who.
    frozen: Option<(Time, BTreeSet<PodUid>)>,
}

/// What is believed at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Of each pod.
    pub verdicts: BTreeMap<PodUid, Verdict>,
    /// Too many are silent at once: nothing is failed over because of silence (`FailoverPaused`).
    pub paused: Option<Paused>,
    /// A new leader listens for one beat before it believes anything.
    pub listening: bool,
}

impl Liveness {
    /// Of a replica that does not lead yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            leader_since: None,
            pods: BTreeMap::new(),
            balancers: BTreeMap::new(),
            resumed_until: None,
            frozen: None,
        }
    }

    /// Other times from now on.
    pub fn settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// This replica leads from now on.
    pub fn lead(&mut self, now: Time) {
        self.leader_since = Some(now);
    }

    /// It does not lead any more.
    pub fn follow(&mut self) {
        self.leader_since = None;
    }

    /// Kubernetes shows a pod. Its silence counts from now, if it was not known.
    pub fn pod(&mut self, pod: &PodUid, node: Option<&str>, kubernetes: Kubernetes, now: Time) {
        let known = self.entry(pod, now);
        known.kubernetes = kubernetes;
        if known.node.as_deref() != node {
            known.node = node.map(str::to_owned);
        }
    }

    /// A pod that nobody asks about any more.
    pub fn forget_pod(&mut self, pod: &PodUid) {
        self.pods.remove(pod);
        for balancer in self.balancers.values_mut() {
            balancer.links.remove(pod);
        }
    }

    fn entry(&mut self, pod: &PodUid, now: Time) -> &mut Pod {
        self.pods.entry(pod.clone()).or_insert_with(|| Pod {
            node: None,
            kubernetes: Kubernetes::Present,
            boot: None,
            connection: 0,
            last: now,
            closed: None,
            convicted: false,
        })
    }

    /// A pod beats, over the connection of this number; they are counted as they are accepted. Whether it counts: not
    /// if its bus was started anew since, and this is what was still on its way.
    pub fn beat(&mut self, holder: &Holder, connection: u64, now: Time) -> bool {
        let pod = self.entry(&holder.pod, now);
        let same = pod.boot.as_ref() == Some(&holder.boot);
        if !same && connection < pod.connection {
            return false;
        }
        pod.connection = pod.connection.max(connection);
        if !same {
            pod.boot = Some(holder.boot.clone());
        }
        pod.last = now;
        pod.closed = None;
        pod.convicted = false;
        true
    }

    /// A pod's status connection ended.
    pub fn closed(&mut self, holder: &Holder, how: Closed, now: Time) {
        if let Some(pod) = self.pods.get_mut(&holder.pod)
            && pod.boot.as_ref() == Some(&holder.boot)
        {
            pod.closed = Some((how, now));
        }
    }

    /// Kubernetes shows a balancer.
    pub fn balancer(&mut self, name: &BalancerId) {
        if !self.balancers.contains_key(name) {
            self.balancers.insert(name.clone(), Balancer::default());
        }
    }

    /// A balancer that is there no more.
    pub fn forget_balancer(&mut self, name: &BalancerId) {
        self.balancers.remove(name);
    }

    /// A balancer tells of its links: with each of its beats, and at once when one changes.
    pub fn report(&mut self, name: &BalancerId, links: BTreeMap<PodUid, Link>, now: Time) {
        let balancer = self.balancers.entry(name.clone()).or_default();
        balancer.reported = Some(now);
        balancer.links = links;
    }

    /// Somebody has looked, and says that what is silent is really gone: no freeze for so long.
    pub fn resume(&mut self, until: Time) {
        self.resumed_until = Some(until);
    }

    /// The boot that a pod beats with.
    pub fn boot(&self, pod: &PodUid) -> Option<&BootId> {
        self.pods.get(pod)?.boot.as_ref()
    }

    /// Whether a balancer reports.
    pub fn is_fresh(&self, name: &BalancerId, now: Time) -> bool {
        self.balancers.get(name).is_some_and(|balancer| self.fresh(balancer, now))
    }

    fn fresh(&self, balancer: &Balancer, now: Time) -> bool {
        balancer.reported.is_some_and(|time| now.since(time) < self.settings.silence())
    }

    /// What is believed now. Who is believed to be gone is not counted among those that fall silent at once with others
    /// later.
    pub fn judge(&mut self, now: Time) -> Judgement {
        let listening = self.leader_since.is_none_or(|since| now.since(since) < self.settings.beat);
        let paused = self.paused(now);
        let judge = |(uid, pod): (&PodUid, &Pod)| {
            (uid.clone(), self.verdict(uid, pod, paused.is_some() && !pod.convicted, now))
        };
        let verdicts: BTreeMap<PodUid, Verdict> = self.pods.iter().map(judge).collect();
        for (uid, pod) in &mut self.pods {
            pod.convicted |= !listening && matches!(verdicts.get(uid), Some(Verdict::Dead(_)));
        }
        Judgement { verdicts, paused, listening }
    }
}

#[cfg(test)]
mod tests;

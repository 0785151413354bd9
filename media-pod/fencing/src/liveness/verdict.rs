//! What is believed of one pod.

use super::{Balancer, Closed, Kubernetes, Link, Liveness, Pod};
use crate::{id::PodUid, time::Time};

/// What is believed of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It beats, or it has not been silent for long.
    Alive,
    /// It is silent, and nobody but this replica says so.
    Silent,
    /// It is silent, as are too many others.
    Paused,
    /// It is gone.
    Dead(Cause),
}

/// Why a pod is believed to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its kubelet says that it has ended.
    Terminated,
    /// It is silent, and there is no such object.
    Gone,
    /// It has closed its connection to this replica, and its links to the balancers, and has not come back.
    Reset,
    /// It has missed its beats, and no balancer hears it.
    Silence,
}

impl Liveness {
    pub(super) fn verdict(&self, uid: &PodUid, pod: &Pod, paused: bool, now: Time) -> Verdict {
        if pod.kubernetes == Kubernetes::Terminated {
            return Verdict::Dead(Cause::Terminated);
        }
        if self.reset(uid, pod, now) {
            return Verdict::Dead(Cause::Reset);
        }
        if now.since(pod.last) < self.settings.silence() {
            return Verdict::Alive;
        }
        if pod.kubernetes == Kubernetes::Gone {
            return Verdict::Dead(Cause::Gone);
        }
        match (paused, self.no_balancer_hears(uid, now)) {
            (true, _) => Verdict::Paused,
            (false, true) => Verdict::Dead(Cause::Silence),
            (false, false) => Verdict::Silent,
        }
    }

    /// It was closed by the pod itself, here and at the balancers: a broken network does not do that.
    pub(super) fn reset(&self, uid: &PodUid, pod: &Pod, now: Time) -> bool {
        let (Some(grace), Some((Closed::ByPeer, at))) = (self.settings.reset_grace, pod.closed) else {
            return false;
        };
        let closed = |balancer: &&Balancer| balancer.links.get(uid) == Some(&Link::ClosedByPeer);
        now.since(at) >= grace
            && self.no_balancer_hears(uid, now)
            && self.balancers.values().filter(|b| self.fresh(b, now)).any(|b| closed(&b))
    }

    /// At least half of all balancers report, at least one does, and none of them hears the pod.
    fn no_balancer_hears(&self, uid: &PodUid, now: Time) -> bool {
        let fresh = || self.balancers.values().filter(|balancer| self.fresh(balancer, now));
        let silence = self.settings.silence();
        let hears =
            |balancer: &Balancer| matches!(balancer.links.get(uid), Some(Link::Up(age)) if *age < silence);
        let count = fresh().count();
        count > 0 && count * 2 >= self.balancers.len() && !fresh().any(hears)
    }
}

//! When so many are silent that it is more likely that one does not hear.

use std::collections::BTreeSet;

use super::{Kubernetes, Liveness, Pod};
use crate::{id::PodUid, time::Time};

/// Why nothing is failed over because of silence: the condition `FailoverPaused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paused {
    /// So many pods are silent.
    pub silent: usize,
    /// Of so many.
    pub of: usize,
}

impl Liveness {
    /// As [`freeze`](Self::freeze) says; and when some who were silent are heard again, for a tenure more while others are
    /// not: when a network heals, one node is heard before another.
    pub(super) fn paused(&mut self, now: Time) -> Option<Paused> {
        if self.resumed_until.is_some_and(|until| now < until) {
            self.frozen = None;
            return None;
        }
        if let Some(paused) = self.freeze(now) {
            self.frozen = Some((now, self.silent(now).cloned().collect()));
            return Some(paused);
        }
        let (last, before) = self.frozen.as_ref()?;
        let still: BTreeSet<&PodUid> = self.silent(now).collect();
        let back = before.iter().any(|uid| self.pods.get(uid).is_some_and(|pod| pod.last >= *last));
        if back && !still.is_empty() && now.since(*last) < self.settings.tenure {
            return Some(Paused { silent: still.len(), of: self.pods.len() });
        }
        self.frozen = None;
        None
    }

    /// Those that are silent, and of whose end nothing is known.
    fn silent(&self, now: Time) -> impl Iterator<Item = &PodUid> {
        let counts = move |(uid, pod): &(&PodUid, &Pod)| {
            !pod.convicted
                && pod.kubernetes == Kubernetes::Present
                && now.since(pod.last) >= self.settings.silence()
                && !self.reset(uid, pod, now)
        };
        self.pods.iter().filter(counts).map(|(uid, _)| uid)
    }

    /// More than a third, and more than one, of the pods are silent, on more than one node. Pods whose end is known for
    /// certain do not count. One whole node that falls silent while others are heard is a lost node, not a lost ear.
    fn freeze(&self, now: Time) -> Option<Paused> {
        // Beats are not all at the same time: when the first has missed its last one, others have one to go.
        let soon = self.settings.silence().saturating_sub(self.settings.beat);
        let (mut of, mut silent) = (0, Vec::new());
        let mut heard_nodes = BTreeSet::new();
        for (uid, pod) in &self.pods {
            if pod.convicted || pod.kubernetes != Kubernetes::Present || self.reset(uid, pod, now) {
                continue;
            }
            of += 1;
            if now.since(pod.last) >= soon {
                silent.push(pod);
            } else {
                heard_nodes.insert(pod.node.as_deref());
            }
        }
        let one_node = {
            let nodes: BTreeSet<Option<&str>> = silent.iter().map(|pod: &&Pod| pod.node.as_deref()).collect();
            nodes.len() == 1
                && !nodes.contains(&None)
                && !heard_nodes.is_empty()
                && heard_nodes.is_disjoint(&nodes)
        };
        let many = silent.len() > 1 && silent.len() * 3 > of;
        (many && !one_node).then_some(Paused { silent: silent.len(), of })
    }
}

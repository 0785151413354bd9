//! When so many are silent that it is more likely that one does not hear.

use std::collections::BTreeSet;

use super::{Kubernetes, Liveness, Pod};
use crate::time::Time;

/// Why nothing is failed over because of silence: the condition `FailoverPaused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paused {
    /// So many pods are silent.
    pub silent: usize,
    /// Of so many.
    pub of: usize,
}

impl Liveness {
    /// More than a third, and more than one, of the pods are silent, on more than one node. Pods whose end is known for
    /// certain do not count. One whole node that falls silent while others are heard is a lost node, not a lost ear.
    pub(super) fn freeze(&self, now: Time) -> Option<Paused> {
        if self.resumed_until.is_some_and(|until| now < until) {
            return None;
        }
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

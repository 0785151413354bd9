//! Where viewers reach a Cluster, and whether they do.

use super::address::{self, Place};
use crate::{
    balancing,
    build::rollout,
    decide::Known,
    reason::{Reason, Why},
    view::View,
};

/// See the module.
pub struct Front {
    /// The address.
    pub place: Option<Place>,
    /// Why nobody can be reached there.
    pub closed: Option<Why>,
}

impl Front {
    /// As it is seen.
    pub fn of(view: &View, known: &Known<'_>) -> Self {
        Self { place: address::find(view, known), closed: closed(view, known) }
    }
}

/// One balancer is enough, as in a rolling update. Where none is wanted nobody is kept waiting for one.
fn closed(view: &View, known: &Known<'_>) -> Option<Why> {
    let cluster = &known.settled.resolved.as_ref()?.cluster;
    let open = balancing::living(view).any(|pod| rollout::is_ready(pod));
    (!open && balancing::wanted(view, cluster).replicas > 0).then(|| {
        let message =
            "no balancer is Ready, so nobody can reach it (the Cluster's condition BalancersReady says more)";
        Why::new(Reason::NoBalancer, message)
    })
}

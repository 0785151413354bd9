//! The status of a Cluster.

use kube::ResourceExt;
use millrace_crds::kinds::{Cluster, ClusterStatus, FeedCount};

use super::{
    address::Place,
    conditions::{self, Wanted},
    events,
};
use crate::{
    build::rollout,
    decide::Known,
    decision::{Decision, Status},
    reason::{Reason, Why},
    view::View,
};

/// How many Feeds there are.
#[derive(Default)]
pub struct Count {
    /// How many are Ready.
    pub ready: i32,
    /// All.
    pub total: i32,
}

/// Writes it, if it changed.
pub fn write(
    view: &View,
    known: &Known<'_>,
    cluster: &Cluster,
    place: Option<&Place>,
    feeds: &Count,
    into: &mut Decision,
) {
    let old = cluster.status.clone().unwrap_or_default();
    let is_up = |slot: &&String| known.pod(slot).is_some_and(rollout::is_ready);
    let up = known.slots.keys().filter(is_up).count();
    let (ready, why) = match &known.settled.faults.cluster {
        Some(why) => (false, why.clone()),
        None if up < known.slots.len() => {
            let message = format!("{up} of {} media pods are Ready", known.slots.len());
            (false, Why::new(Reason::ServersNotReady, message))
        }
        None => (true, Why::new(Reason::ServersReady, "all media pods are Ready")),
    };
    let mut wanted = vec![conditions::ready(ready, why)];
    match place {
        Some(place) if place.pending => {
            let message = "the load balancer has no address yet (does anything here give addresses to Services of type \
                LoadBalancer? spec.service.type: NodePort needs nothing)";
            let why = Why::new(Reason::AddressPending, message);
            wanted.push(Wanted { kind: "AddressReady", holds: false, why });
        }
        Some(place) => {
            let why = Why::new(Reason::AddressKnown, format!("viewers reach it at {}", place.base()));
            wanted.push(Wanted { kind: "AddressReady", holds: true, why });
        }
        None => {}
    }
    let status = ClusterStatus {
        servers: Some(up as i32),
        balancers: old.balancers,
        selector: old.selector.clone(),
        feeds: Some(FeedCount { ready: feeds.ready, total: feeds.total }),
        address: place.map(Place::base),
        conditions: conditions::merge(&old.conditions, wanted, cluster.metadata.generation, view.now),
        observed_generation: cluster.metadata.generation,
    };
    events::compare("Cluster", &cluster.metadata, &old.conditions, &status.conditions, into);
    if cluster.status.as_ref() != Some(&status) {
        into.status.push(Status::Cluster { name: cluster.name_any(), status: Box::new(status) });
    }
}

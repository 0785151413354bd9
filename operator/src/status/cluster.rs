//! The status of a Cluster.

use kube::ResourceExt;
use millrace_crds::{
    FinalCluster,
    kinds::{Cluster, ClusterStatus, FeedCount},
};

use super::{
    address::Place,
    conditions::{self, Wanted},
    events, failover, upstreams,
};
use crate::{
    balancing,
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

/// How many balancers there are.
struct Balancers {
    ready: usize,
    there: usize,
    wanted: usize,
}

impl Balancers {
    fn of(view: &View, cluster: &FinalCluster) -> Self {
        let there: Vec<_> = balancing::living(view).collect();
        Self {
            ready: there.iter().filter(|pod| rollout::is_ready(pod)).count(),
            there: there.len(),
            wanted: balancing::wanted(view, cluster).replicas as usize,
        }
    }

    const fn enough(&self) -> bool {
        self.ready >= self.wanted
    }

    fn why(&self) -> Why {
        let Self { ready, wanted, .. } = self;
        if self.enough() {
            return Why::new(Reason::BalancersReady, "all balancers are Ready");
        }
        Why::new(Reason::BalancersNotReady, format!("{ready} of {wanted} balancers are Ready"))
    }
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
    let (up, all) = (known.staying().filter(is_up).count(), known.staying().count());
    let resolved = known.settled.resolved.as_ref();
    let balancers = resolved.map(|it| Balancers::of(view, &it.cluster));
    let (ready, why) = match &known.settled.faults.cluster {
        Some(why) => (false, why.clone()),
        None if up < all => {
            let message = format!("{up} of {all} server pods are Ready");
            (false, Why::new(Reason::ServersNotReady, message))
        }
        None => match balancers.as_ref().filter(|it| !it.enough()) {
            Some(few) => (false, few.why()),
            None => (true, Why::new(Reason::ServersReady, "all server pods and balancers are Ready")),
        },
    };
    let mut wanted = vec![conditions::ready(ready, why)];
    if let Some(it) = &balancers {
        wanted.push(Wanted { kind: "BalancersReady", holds: Some(it.enough()), why: it.why() });
    }
    match place {
        Some(place) if place.pending => {
            let message = "the load balancer has no address yet (does anything here give addresses to Services of type \
                LoadBalancer? spec.service.type: NodePort needs nothing)";
            let why = Why::new(Reason::AddressPending, message);
            wanted.push(Wanted { kind: "AddressReady", holds: Some(false), why });
        }
        Some(place) => {
            let why = Why::new(Reason::AddressKnown, format!("viewers reach it at {}", place.base()));
            wanted.push(Wanted { kind: "AddressReady", holds: Some(true), why });
        }
        None => {}
    }
    let upstreams = resolved.and_then(|it| {
        upstreams::condition(view, &it.cluster, cluster.metadata.generation, &old.conditions, into)
    });
    wanted.extend(upstreams);
    wanted.extend(failover::conditions(view, cluster, &old.conditions, into));
    let status = ClusterStatus {
        servers: Some(up as i32),
        balancers: balancers.as_ref().map_or(old.balancers, |it| Some(it.there as i32)),
        selector: Some(balancing::selector(&view.name)),
        feeds: Some(FeedCount { ready: feeds.ready, total: feeds.total }),
        address: place.map(Place::base),
        conditions: conditions::merge(&old.conditions, wanted, cluster.metadata.generation, view.now),
        observed_generation: cluster.metadata.generation,
    };
    let (before, now) = (&old.conditions, &status.conditions);
    events::compare("Cluster", &cluster.metadata, before, now, into);
    events::compare_of(upstreams::KIND, "Cluster", &cluster.metadata, before, now, into);
    if cluster.status.as_ref() != Some(&status) {
        into.status.push(Status::Cluster { name: cluster.name_any(), status: Box::new(status) });
    }
}

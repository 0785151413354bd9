//! How many balancers there are to be, by what is seen of a Cluster; and which of them goes when they become fewer.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::ResourceExt as _;
use millrace_crds::FinalCluster;

use crate::{
    build::{Owner, rollout},
    decision::{Apply, Decision, Manager, Object},
    labels, names,
    scale::{self, Bounds, Seen, Wanted},
    view::View,
};

/// How often their sessions are looked at.
pub const LOOK: Duration = Duration::from_secs(15);
/// What marks the pod that goes next.
const FIRST: &str = "-1";

/// What the Deployment says.
#[derive(Default)]
struct There {
    is_made: bool,
    replicas: Option<u32>,
    /// Since when fewer would be enough.
    since: Option<Timestamp>,
}

impl There {
    fn of(view: &View) -> Self {
        let name = names::balancers(&view.name);
        let Some(it) = view.deployments.iter().find(|it| it.name_any() == name) else {
            return Self::default();
        };
        let replicas = it.spec.as_ref().and_then(|spec| u32::try_from(spec.replicas?).ok());
        let since = it.annotations().get(labels::FEWER).and_then(|since| since.parse().ok());
        Self { is_made: true, replicas, since }
    }
}

/// How many there are to be.
pub fn wanted(view: &View, cluster: &FinalCluster) -> Wanted {
    let said = cluster.balancers.replicas;
    let Some(auto) = &cluster.balancers.autoscale else { return Wanted { replicas: said, since: None } };
    if auto.hpa {
        // An autoscaler of Kubernetes' writes what it wants into the Cluster.
        return Wanted { replicas: said.max(auto.min).min(auto.max), since: None };
    }
    let there = There::of(view);
    // Who was not started yet has nobody.
    let started = living(view).filter(|pod| phase(pod) != Some("Pending"));
    let sessions: Vec<Option<u32>> = started.map(|pod| sessions(view, pod)).collect();
    let bounds =
        Bounds { min: auto.min, max: auto.max, sessions: auto.sessions.min(cluster.limits.connections) };
    let seen = Seen {
        replicas: there.replicas.unwrap_or(said),
        sessions: sessions.iter().flatten().map(|sessions| u64::from(*sessions)).sum(),
        complete: there.is_made && sessions.iter().all(Option::is_some),
        since: there.since,
        now: view.now,
    };
    scale::wanted(bounds, seen)
}

/// As [`wanted`]; but before there are fewer the pod is marked that is to go, and that mark is seen.
pub fn step(view: &View, owner: &Owner, cluster: &FinalCluster, into: &mut Decision) -> Wanted {
    let mut wanted = wanted(view, cluster);
    let Some(auto) = &cluster.balancers.autoscale else { return wanted };
    let there = There::of(view);
    let fewer = there.replicas.filter(|replicas| wanted.replicas < *replicas);
    if fewer.is_some() || !auto.hpa {
        into.again = Some(into.again.map_or(LOOK, |again| again.min(LOOK)));
    }
    let Some(replicas) = fewer else { return wanted };
    if auto.hpa {
        // It may want several fewer at once. Marks are for one at a time, which has gone before the next.
        if living(view).count() > replicas as usize {
            return Wanted { replicas, since: None };
        }
        wanted.replicas = wanted.replicas.max(replicas.saturating_sub(1));
    }
    let Some(emptiest) = living(view).min_by_key(|pod| load(view, pod)) else { return wanted };
    let marked: Vec<&Arc<Pod>> = living(view).filter(|pod| is_marked(pod)).collect();
    // What came to it since it was marked is no reason to take another.
    let still = |pod: &Pod| {
        load(view, pod).1 <= load(view, emptiest).1.saturating_add(cluster.limits.connections / 100 + 10)
    };
    if let [one] = marked.as_slice()
        && still(one)
    {
        return wanted;
    }
    into.apply.extend(marked.iter().map(|pod| mark(owner, pod, false)));
    into.apply.push(mark(owner, emptiest, true));
    Wanted { replicas, since: there.since }
}

/// Balancers that run, or are about to.
pub fn living(view: &View) -> impl Iterator<Item = &Arc<Pod>> {
    view.balancers.iter().filter(|pod| {
        pod.metadata.deletion_timestamp.is_none() && !matches!(phase(pod), Some("Succeeded" | "Failed"))
    })
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

/// What selects them, for the scale subresource.
pub fn selector(cluster: &str) -> String {
    let labels = labels::balancers(cluster);
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

fn sessions(view: &View, pod: &Pod) -> Option<u32> {
    view.reports.get(pod.metadata.uid.as_ref()?)?.sessions
}

/// Those that are not Ready go first, as they do in Kubernetes.
fn load<'a>(view: &View, pod: &'a Pod) -> (bool, u32, Option<&'a str>) {
    (rollout::is_ready(pod), sessions(view, pod).unwrap_or(u32::MAX), pod.metadata.name.as_deref())
}

fn is_marked(pod: &Pod) -> bool {
    pod.annotations().get(labels::COST).is_some_and(|cost| cost == FIRST)
}

fn mark(owner: &Owner, pod: &Pod, first: bool) -> Apply {
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some(pod.name_any()),
            namespace: Some(owner.namespace.clone()),
            annotations: Some(labels::map([(labels::COST, if first { FIRST } else { "0" })])),
            ..ObjectMeta::default()
        },
        ..Pod::default()
    };
    Apply { manager: Manager::Role, object: Object::Pod(Box::new(pod)) }
}

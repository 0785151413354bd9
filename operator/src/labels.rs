//! Labels and annotations of what the operator makes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

use crate::names;

/// The Cluster that an object belongs to.
pub const CLUSTER: &str = "millrace.dev/cluster";
/// The slot that an object belongs to.
pub const SLOT: &str = "millrace.dev/slot";
/// The only Feed of a media pod.
pub const FEED: &str = "millrace.dev/feed";
/// The Stream that a Lease is of.
pub const STREAM: &str = "millrace.dev/stream";
/// The part that a pod plays.
pub const ROLE: &str = "millrace.dev/role";
/// What [`ROLE`] says of media pods that run Feeds and Streams.
pub const SERVER: &str = "server";
/// What [`ROLE`] says of media pods that viewers connect to.
pub const BALANCER: &str = "balancer";
/// The set that a Feed or Stream is a member of.
pub const SET: &str = "millrace.dev/set";
/// The hash of a pod's spec.
pub const TEMPLATE: &str = "millrace.dev/template";
/// Annotation: who is in a slot, by name and UID, as JSON.
pub const PLACEMENT: &str = "millrace.dev/placement";
/// Annotation: the hash of a slot's configuration.
pub const HASH: &str = "millrace.dev/hash";
/// Annotation: the hash of the object as it was applied.
pub const APPLIED: &str = "millrace.dev/applied";

/// Annotation of a Lease: the signed grant, in Base64.
pub const GRANT: &str = "millrace.dev/grant";
/// Annotation of a Lease: the name of the pod that holds it.
pub const POD: &str = "millrace.dev/pod";
/// Annotation of a pod: `true` empties it.
pub const DRAIN: &str = "millrace.dev/drain";
/// Annotation of a Cluster: `resume` ends a pause of failover.
pub const FAILOVER: &str = "millrace.dev/failover";

/// Annotation of the balancers' Deployment: since when fewer would do.
pub const FEWER: &str = "millrace.dev/fewer-since";
/// Annotation of a pod: of a Deployment's pods the one with the lowest number goes first.
pub const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Labels, or annotations.
pub type Map = BTreeMap<String, String>;

/// The labels of everything that belongs to a Cluster.
pub fn of_cluster(cluster: &str) -> Map {
    map([
        ("app.kubernetes.io/name", "millrace"),
        ("app.kubernetes.io/component", SERVER),
        ("app.kubernetes.io/instance", cluster),
        ("app.kubernetes.io/managed-by", "millrace-operator"),
        (CLUSTER, cluster),
    ])
}

/// The labels of everything that belongs to a Cluster's balancers: their pods are a slot, all with one configuration.
pub fn of_balancers(cluster: &str) -> Map {
    let all = with(of_cluster(cluster), "app.kubernetes.io/component", BALANCER);
    with(all, SLOT, &names::balancers(cluster))
}

/// The labels of everything that belongs to a slot.
pub fn of_slot(cluster: &str, slot: &str) -> Map {
    with(of_cluster(cluster), SLOT, slot)
}

/// What selects the media pods of a Cluster.
pub fn servers(cluster: &str) -> Map {
    map([(CLUSTER, cluster), (ROLE, SERVER)])
}

/// What selects the balancers of a Cluster.
pub fn balancers(cluster: &str) -> Map {
    map([(CLUSTER, cluster), (ROLE, BALANCER)])
}

/// Whether a pod is a balancer.
pub fn is_balancer(pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|all| all.get(ROLE)).is_some_and(|role| role == BALANCER)
}

/// With one more.
pub fn with(mut all: Map, name: &str, value: &str) -> Map {
    all.insert(name.to_owned(), value.to_owned());
    all
}

/// A map of texts.
pub fn map<const N: usize>(entries: [(&str, &str); N]) -> Map {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

//! Labels and annotations of what the operator makes.

use std::collections::BTreeMap;

/// The Cluster that an object belongs to.
pub const CLUSTER: &str = "millrace.dev/cluster";
/// The slot that an object belongs to.
pub const SLOT: &str = "millrace.dev/slot";
/// The only Feed of a media pod.
pub const FEED: &str = "millrace.dev/feed";
/// The part that a pod plays.
pub const ROLE: &str = "millrace.dev/role";
/// What [`ROLE`] says of media pods.
pub const SERVER: &str = "server";
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

/// The labels of everything that belongs to a slot.
pub fn of_slot(cluster: &str, slot: &str) -> Map {
    with(of_cluster(cluster), SLOT, slot)
}

/// What selects the media pods of a Cluster.
pub fn servers(cluster: &str) -> Map {
    map([(CLUSTER, cluster), (ROLE, SERVER)])
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

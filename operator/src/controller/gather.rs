//! What is seen of one Cluster, from what was watched and reported.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::{
    failover::{carry::Found, guests, seal::Seals},
    key::ClusterKey,
    labels,
    link::{Heard, Link},
    names,
    view::{Reported, Settings, Unreadable, View},
    watch::{Item, SecretError, Stores, Watched},
};

/// What is seen, and what cannot be read with its UID.
pub struct Gathered {
    /// What is seen.
    pub view: View,
    /// What cannot be read: its UID and its version beside it.
    pub unreadable: Vec<Broken>,
}

/// An object that cannot be read.
pub struct Broken {
    /// What it is.
    pub object: Unreadable,
    /// Its UID.
    pub uid: String,
    /// Counts the changes of its spec.
    pub generation: Option<i64>,
}

/// Gathers.
///
/// # Errors
/// Where a Secret is there but cannot be fetched: nothing may be decided as if it were not there.
pub async fn gather(
    key: &ClusterKey,
    stores: &Stores,
    link: &Link,
    settings: &Arc<Settings>,
    (seals, found): (&Seals, &Found),
) -> Result<Gathered, SecretError> {
    let mut pile = Pile::default();
    let cluster = stores.clusters.get(&key.namespace, &key.name).into_iter().collect();
    let cluster = pile.sort(cluster).into_iter().next();
    let feeds = pile.sort(stores.feeds.of(key));
    let streams = pile.sort(stores.streams.of(key));
    let rooms = pile.sort(stores.rooms.of(key));
    let secrets = stores.secrets.named(key, pile.secrets).await?;
    if let Some(cluster) = &cluster {
        let beat = &cluster.spec.heartbeat;
        link.patience(key, Duration::from(beat.interval) * u32::from(beat.missed));
    }
    let all = readable(stores.pods.of(key));
    let reports = reports(&all, link.heard(key));
    let (balancers, pods) = all.into_iter().partition(|pod| labels::is_balancer(pod));
    let (balancers_config, config_maps) = apart(readable(stores.config_maps.of(key)), key);
    let (balancers_secret, slot_secrets) = apart(readable(stores.slot_secrets.of(key)), key);
    let leases = readable(stores.leases.of(key));
    let (owners, owners_slots) = guests::owners(leases.iter().map(|lease| seals.read(lease)));
    let view = View {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        cluster,
        feeds,
        streams,
        rooms,
        unreadable: pile.broken.iter().map(|broken| broken.object.clone()).collect(),
        secrets,
        config_maps,
        slot_secrets,
        balancers_config,
        balancers_secret,
        deployments: readable(stores.deployments.of(key)),
        pods,
        balancers,
        services: readable(stores.services.of(key)),
        budgets: readable(stores.budgets.of(key)),
        nodes: stores.nodes.addresses(),
        owners,
        owners_slots,
        found: found.clone(),
        reports,
        listens_for: link.listens_for(),
        settings: Arc::clone(settings),
        now: Timestamp::now(),
    };
    Ok(Gathered { view, unreadable: pile.broken })
}

/// What is the balancers', and what is slots'.
fn apart<K: Watched>(all: Vec<Arc<K>>, key: &ClusterKey) -> (Option<Arc<K>>, Vec<Arc<K>>) {
    let name = names::balancers(&key.name);
    let (balancers, slots): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.name_any() == name);
    (balancers.into_iter().next().filter(|it| it.meta().deletion_timestamp.is_none()), slots)
}

/// What was found beside objects that can be read.
#[derive(Default)]
struct Pile {
    broken: Vec<Broken>,
    secrets: BTreeSet<String>,
}

impl Pile {
    fn sort<K: Watched>(&mut self, items: Vec<Item<K>>) -> Vec<Arc<K>> {
        let mut read = Vec::with_capacity(items.len());
        for item in items {
            self.secrets.extend(item.secrets.iter().cloned());
            match item.object {
                Ok(object) => read.push(object),
                Err(broken) => {
                    let name = broken.metadata.name.clone().unwrap_or_default();
                    let object = Unreadable { kind: K::KIND, name, error: broken.error.clone() };
                    self.broken.push(Broken {
                        object,
                        uid: broken.metadata.uid.clone().unwrap_or_default(),
                        generation: broken.metadata.generation,
                    });
                }
            }
        }
        read
    }
}

/// Those of Kubernetes' own kinds can be read, or are as if they were not there.
fn readable<K: Watched>(items: Vec<Item<K>>) -> Vec<Arc<K>> {
    items.into_iter().filter_map(|item| item.object.ok()).collect()
}

/// A report counts for the pod whose UID it names only where it has the token of that pod's slot.
fn reports(
    pods: &[Arc<k8s_openapi::api::core::v1::Pod>],
    heard: Vec<(String, Heard)>,
) -> BTreeMap<String, Reported> {
    let slots: BTreeMap<String, &str> =
        pods.iter().filter_map(|pod| Some((pod.uid()?, pod.labels().get(labels::SLOT)?.as_str()))).collect();
    let of_its_slot = |(uid, heard): &(String, Heard)| slots.get(uid).is_some_and(|slot| *slot == heard.slot);
    heard
        .into_iter()
        .filter(of_its_slot)
        .map(|(uid, heard)| {
            let Heard { boot, revision, refused, feeds, streams, sessions, upstreams, .. } = heard;
            let (feeds, streams) = (Arc::unwrap_or_clone(feeds), Arc::unwrap_or_clone(streams));
            (uid, Reported { boot, revision, refused, feeds, streams, sessions, upstreams })
        })
        .collect()
}

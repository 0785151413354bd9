//! What slots' `ConfigMap`s and Secrets keep: who is where, and the last good form of everything.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use millrace_crds::{
    FinalSecret,
    kinds::{ClusterSpec, FeedSpec, StreamSpec},
    resolve::Objects,
};
use serde::{Deserialize, Serialize};

use crate::{labels, view::View};

/// Who is in a slot: UIDs by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Feeds.
    #[serde(default)]
    pub feeds: BTreeMap<String, String>,
    /// Streams.
    #[serde(default)]
    pub streams: BTreeMap<String, String>,
}

impl Placement {
    /// Both together.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let mut all = self.clone();
        all.feeds.extend(others.feeds.clone());
        all.streams.extend(others.streams.clone());
        all
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty() && self.streams.is_empty()
    }
}

/// What is kept of one slot.
#[derive(Debug, Default)]
pub struct Slot<'a> {
    /// Who is in it.
    pub placement: Placement,
    /// Its `ConfigMap`.
    pub config_map: Option<&'a ConfigMap>,
    /// Its Secret.
    pub secret: Option<&'a Secret>,
    read: OnceCell<Objects>,
}

impl<'a> Slot<'a> {
    /// Of the two objects; nobody is in it.
    pub fn of(config_map: Option<&'a ConfigMap>, secret: Option<&'a Secret>) -> Self {
        Self { config_map, secret, ..Self::default() }
    }

    /// The configuration as YAML; empty if there is none.
    pub fn yaml(&self) -> &str {
        self.data("millrace.yaml")
    }

    /// The Secrets as YAML; empty if there are none.
    pub fn secrets(&self) -> &str {
        self.secret_data("secrets.yaml")
    }

    /// The template of the pods that it is for; empty if that is not known.
    pub fn template(&self) -> &str {
        self.data("template")
    }

    /// The newest revision that either has.
    pub fn revision(&self) -> u64 {
        let of = |text: &str| text.trim().parse().unwrap_or(0);
        u64::max(of(self.data("revision")), of(self.secret_data("revision")))
    }

    fn data(&self, key: &str) -> &str {
        self.config_map.and_then(|it| it.data.as_ref()?.get(key)).map_or("", String::as_str)
    }

    fn secret_data(&self, key: &str) -> &str {
        let value = self.secret.and_then(|it| it.data.as_ref()?.get(key));
        value.and_then(|bytes| std::str::from_utf8(&bytes.0).ok()).unwrap_or_default()
    }

    /// The objects of the configuration; none of what somebody made unreadable.
    pub fn objects(&self) -> &Objects {
        self.read.get_or_init(|| {
            let read = |text| millrace_crds::read("", text).map(|it| it.objects).unwrap_or_default();
            let mut objects = read(self.yaml());
            objects.secrets = read(self.secrets()).secrets;
            objects
        })
    }
}

/// What is kept of all slots of a Cluster.
#[derive(Debug, Default)]
pub struct Kept<'a> {
    /// The slots, by name.
    pub slots: BTreeMap<String, Slot<'a>>,
}

impl<'a> Kept<'a> {
    /// Reads who is where; the rest when it is asked for.
    pub fn of(view: &'a View) -> Self {
        let mut slots: BTreeMap<String, Slot<'a>> = BTreeMap::new();
        for secret in view.slot_secrets.iter().filter(|it| it.metadata.deletion_timestamp.is_none()) {
            if let Some(name) = &secret.metadata.name {
                let slot = slots.entry(name.clone()).or_default();
                slot.secret = Some(secret);
                slot.placement = placement(&secret.metadata).unwrap_or_default();
            }
        }
        for map in view.config_maps.iter().filter(|it| it.metadata.deletion_timestamp.is_none()) {
            if let Some(name) = &map.metadata.name {
                let slot = slots.entry(name.clone()).or_default();
                slot.config_map = Some(map);
                if let Some(placement) = placement(&map.metadata) {
                    slot.placement = placement;
                }
            }
        }
        Self { slots }
    }

    /// The UID of a Feed that cannot be read.
    pub fn feed_uid(&self, name: &str) -> Option<String> {
        self.slots.values().find_map(|slot| slot.placement.feeds.get(name)).cloned()
    }

    /// The UID of a Stream that cannot be read.
    pub fn stream_uid(&self, name: &str) -> Option<String> {
        self.slots.values().find_map(|slot| slot.placement.streams.get(name)).cloned()
    }

    /// A Feed as it runs, if this one does.
    pub fn feed(&self, name: &str, uid: &str) -> Option<FeedSpec> {
        let slot = self.slot_of_feed(name, uid)?;
        slot.objects().feeds.iter().find(|(it, _)| it == name).map(|(_, spec)| spec.clone())
    }

    /// A Stream as it runs, if this one does.
    pub fn stream(&self, name: &str, uid: &str) -> Option<StreamSpec> {
        let slot = self.slot_of_stream(name, uid)?;
        slot.objects().streams.iter().find(|(it, _)| it == name).map(|(_, spec)| spec.clone())
    }

    /// What a Feed that runs was asked last, by annotation.
    pub fn feed_restart(&self, name: &str, uid: &str) -> Option<String> {
        self.slot_of_feed(name, uid)?.objects().restarts.feeds.get(name).cloned()
    }

    /// What a Stream that runs was asked last, by annotation.
    pub fn stream_restart(&self, name: &str, uid: &str) -> Option<String> {
        self.slot_of_stream(name, uid)?.objects().restarts.streams.get(name).cloned()
    }

    /// The Cluster as it runs, if anything does.
    pub fn cluster(&self) -> Option<ClusterSpec> {
        self.slots.values().find_map(|slot| slot.objects().clusters.first()).map(|(_, spec)| spec.clone())
    }

    /// The UID of the Cluster that the slots belong to.
    pub fn cluster_uid(&self) -> Option<String> {
        let owners =
            self.slots.values().filter_map(|slot| slot.config_map?.metadata.owner_references.as_ref());
        owners.flatten().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone())
    }

    /// The Secrets of these names as slots have them.
    pub fn secrets(&self, names: &BTreeSet<String>) -> BTreeMap<String, FinalSecret> {
        let mut found: BTreeMap<String, FinalSecret> = BTreeMap::new();
        let holders =
            || self.slots.values().filter(|slot| names.iter().any(|it| slot.secrets().contains(it.as_str())));
        for secret in holders().flat_map(|slot| &slot.objects().secrets).filter(|it| names.contains(&it.name))
        {
            found.entry(secret.name.clone()).or_insert_with(|| secret.clone());
        }
        found
    }

    /// The slot that a Feed is in.
    pub fn slot_of_feed(&self, name: &str, uid: &str) -> Option<&Slot<'a>> {
        self.slots.values().find(|slot| slot.placement.feeds.get(name).is_some_and(|it| it == uid))
    }

    /// The slot that a Stream is in.
    pub fn slot_of_stream(&self, name: &str, uid: &str) -> Option<&Slot<'a>> {
        self.slots.values().find(|slot| slot.placement.streams.get(name).is_some_and(|it| it == uid))
    }
}

fn placement(metadata: &ObjectMeta) -> Option<Placement> {
    serde_json::from_str(metadata.annotations.as_ref()?.get(labels::PLACEMENT)?).ok()
}

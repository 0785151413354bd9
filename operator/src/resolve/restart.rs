//! Who was asked to restart, by an annotation of its own or of the set that it is a member of.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use millrace_crds::{
    kinds::API_VERSION,
    resolve::{RESTART, restart_text},
};

use crate::names;

/// What the annotation of each object says that may be a set, by UID.
pub type OfSets = BTreeMap<String, Option<String>>;

/// Of all Feeds, or of all Streams.
pub fn of_sets<K: Resource<DynamicType = ()>>(all: &[Arc<K>]) -> OfSets {
    all.iter().filter_map(|it| Some((it.uid()?, annotation(it.as_ref())))).collect()
}

/// What an object was asked; `kept`: what it was asked before, for when its set cannot be read.
pub fn of<K: Resource<DynamicType = ()>>(
    object: &K,
    sets: &OfSets,
    kept: impl FnOnce() -> Option<String>,
) -> Option<String> {
    let is_set = |owner: &&OwnerReference| {
        owner.controller == Some(true) && owner.kind == K::kind(&()) && owner.api_version == API_VERSION
    };
    let set = object.owner_references().iter().find(is_set);
    let set = match set.map(|set| sets.get(&set.uid)) {
        None => None,
        Some(None) => return kept(),
        Some(Some(set)) => set.as_deref(),
    };
    match (set, annotation(object)) {
        (None, own) => own,
        (Some(set), None) => Some(set.to_owned()),
        // Another text in either is another one of both.
        (Some(set), Some(own)) => Some(names::hash(&[set, &own])),
    }
}

fn annotation<K: Resource<DynamicType = ()>>(object: &K) -> Option<String> {
    object.annotations().get(RESTART).map(|text| restart_text(text))
}

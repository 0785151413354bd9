//! From what is seen to what is to be done. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::{
    build::{
        Owner,
        content::{self, Content},
        rollout,
    },
    decision::Decision,
    directory, grouping,
    kept::{Kept, Placement},
    labels, objects, plan,
    resolve::{self, Settled, sets, sets::Sets},
    status,
    view::View,
};

/// Decides.
pub fn decide(view: &View) -> Decision {
    let mut decision = Decision::default();
    let kept = Kept::of(view);
    let mut known = Known { sets: sets::expand(view, &mut decision), ..Known::default() };
    if let Some(owner) = owner(view, &kept) {
        known.settled = resolve::settle(view, &kept);
        known.slots = slots(view, &kept, &known.settled);
        for (slot, it) in &known.slots {
            known.feeds.extend(it.placement.feeds.keys().map(|name| (name.clone(), slot.clone())));
            known.streams.extend(it.placement.streams.keys().map(|name| (name.clone(), slot.clone())));
        }
        known.pods = pods_by_slot(view);
        objects::build(view, &kept, &owner, &known, &mut decision);
        known.owner = Some(owner.clone());
        directory::fill(view, &owner, &known, &mut decision);
    }
    status::write(view, &known, &mut decision);
    decision
}

/// What was found on the way.
#[derive(Default)]
pub struct Known<'a> {
    /// The Cluster, if there is one that stays.
    pub owner: Option<Owner>,
    /// Sets.
    pub sets: Sets,
    /// What is to run.
    pub settled: Settled,
    /// Slots by name.
    pub slots: BTreeMap<String, Slot>,
    /// The slots that Feeds are in.
    pub feeds: BTreeMap<String, String>,
    /// The slots that Streams are in.
    pub streams: BTreeMap<String, String>,
    /// Pods by slot.
    pub pods: BTreeMap<String, Vec<&'a Pod>>,
}

/// A slot as it is to be.
pub struct Slot {
    /// Who is in it.
    pub placement: Placement,
    /// What it runs.
    pub content: Content,
}

/// The Cluster, if there is one that stays.
fn owner(view: &View, kept: &Kept<'_>) -> Option<Owner> {
    let uid = match &view.cluster {
        Some(cluster) if cluster.metadata.deletion_timestamp.is_some() => None,
        Some(cluster) => cluster.uid(),
        None if view.unreadable.iter().any(|it| it.kind == "Cluster" && it.name == view.name) => {
            kept.cluster_uid()
        }
        None => None,
    }?;
    Some(Owner { namespace: view.namespace.clone(), name: view.name.clone(), uid })
}

/// Who goes where, and what each slot runs.
fn slots(view: &View, kept: &Kept<'_>, settled: &Settled) -> BTreeMap<String, Slot> {
    let Some(resolved) = &settled.resolved else { return BTreeMap::new() };
    let before: BTreeMap<String, Placement> =
        kept.slots.iter().map(|(name, slot)| (name.clone(), slot.placement.clone())).collect();
    let limit = usize::from(resolved.cluster.servers.packing.feeds_per_pod).max(1);
    let placed = plan::place(&grouping::groups(resolved), settled, &before, limit, &view.name);
    let reported = reported(view);
    placed
        .into_iter()
        .map(|(name, placement)| {
            let revision = reported.get(name.as_str()).copied().unwrap_or(0);
            let content = content::content(resolved, &placement, kept.slots.get(&name), revision);
            (name, Slot { placement, content })
        })
        .collect()
}

/// The newest revision that a pod of each slot runs: a slot that lost its `ConfigMap` counts on from there.
fn reported(view: &View) -> BTreeMap<&str, u64> {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for pod in &view.pods {
        let report = pod.metadata.uid.as_ref().and_then(|uid| view.reports.get(uid));
        if let (Some(slot), Some(report)) = (pod.labels().get(labels::SLOT), report) {
            let revision = newest.entry(slot.as_str()).or_default();
            *revision = (*revision).max(report.revision);
        }
    }
    newest
}

fn pods_by_slot(view: &View) -> BTreeMap<String, Vec<&Pod>> {
    let mut by_slot: BTreeMap<String, Vec<&Pod>> = BTreeMap::new();
    for pod in view.pods.iter().map(Arc::as_ref) {
        if let Some(slot) = pod.labels().get(labels::SLOT) {
            by_slot.entry(slot.clone()).or_default().push(pod);
        }
    }
    by_slot
}

impl Known<'_> {
    /// The slot that a Feed is in.
    pub fn slot_of_feed(&self, name: &str) -> Option<(&String, &Slot)> {
        self.slots.get_key_value(self.feeds.get(name)?)
    }

    /// The slot that a Stream is in.
    pub fn slot_of_stream(&self, name: &str) -> Option<(&String, &Slot)> {
        self.slots.get_key_value(self.streams.get(name)?)
    }

    /// The pod of a slot that does its work: the one that is Ready, else the one that is to be.
    pub fn pod(&self, slot: &str) -> Option<&Pod> {
        let owner = self.owner.as_ref()?;
        let living = self.pods.get(slot)?.iter().copied().filter(|pod| rollout::lives(owner, pod));
        living.min_by_key(|pod| {
            (!rollout::is_ready(pod), std::cmp::Reverse(pod.metadata.creation_timestamp.clone()))
        })
    }

    /// The names of all slots.
    pub fn names(&self) -> BTreeSet<&str> {
        self.slots.keys().map(String::as_str).collect()
    }
}

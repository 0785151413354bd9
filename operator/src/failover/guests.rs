//! Which slots run what does not belong to them, because their pods own it. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use millrace_fencing::{Grant, Holder};

use super::{
    seal::Read,
    units::{Unit, Units},
};
use crate::{kept::Placement, labels, view::View};

/// The owner of a unit: whom the Leases of all members name.
pub fn owner<'a>(view: &'a View, unit: &Unit) -> Option<&'a Holder> {
    let first = view.owners.get(unit.members.first()?.uid.as_str())?;
    let same = unit.members.iter().all(|member| {
        let grant = view.owners.get(member.uid.as_str());
        grant.is_some_and(|it| it.holder == first.holder && it.epoch == first.epoch)
    });
    same.then_some(&first.holder)
}

/// What Leases say: grants by the UID of what they are of, and the slots of the pods that they name.
pub fn owners(leases: impl Iterator<Item = Read>) -> (BTreeMap<String, Grant>, BTreeMap<String, String>) {
    let (mut owners, mut slots) = (BTreeMap::new(), BTreeMap::new());
    for Read { grant, slot, .. } in leases {
        let Some(grant) = grant else { continue };
        if let Some(slot) = slot {
            slots.insert(grant.holder.pod.to_string(), slot.to_string());
        }
        owners.insert(grant.feed.to_string(), grant);
    }
    (owners, slots)
}

/// What the pods of each slot run beside what belongs to it, by the slot: what they own by Leases, and what they say they
/// still hold, until others have it everywhere. That a pod's object is gone does not matter: its process may live on, and
/// balancers let viewers go when it takes a path back.
pub fn guests(view: &View, units: &Units) -> BTreeMap<String, Placement> {
    let slots: BTreeMap<&str, &str> = view.pods.iter().filter_map(|pod| slot_of(pod)).collect();
    let mut guests: BTreeMap<String, Placement> = BTreeMap::new();
    let mut add = |unit: &Unit, slot: &str| {
        if slot != unit.home {
            let there = guests.entry(slot.to_owned()).or_default();
            *there = there.and(&unit.placement);
        }
    };
    for unit in units.all.values() {
        let Some(holder) = owner(view, unit) else { continue };
        let pod = holder.pod.as_str();
        let remembered = || view.owners_slots.get(pod).map(String::as_str);
        if let Some(slot) = slots.get(pod).copied().or_else(remembered) {
            add(unit, slot);
        }
    }
    for (uid, slot) in &view.found.guests {
        if let Some((_, unit)) = units.unit(uid) {
            add(unit, slot);
        }
    }
    guests
}

fn slot_of(pod: &std::sync::Arc<Pod>) -> Option<(&str, &str)> {
    Some((pod.metadata.uid.as_deref()?, pod.labels().get(labels::SLOT)?))
}

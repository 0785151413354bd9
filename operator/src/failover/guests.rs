//! Which slots run what does not belong to them, because their pods own it. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use millrace_fencing::{Holder, PodUid};

use super::units::{Unit, Units};
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

/// What the pods of each slot run beside what belongs to it, by the slot: what they own by Leases, and what they say they
/// still hold, until others have it everywhere.
pub fn guests(view: &View, units: &Units) -> BTreeMap<String, Placement> {
    let slots: BTreeMap<&str, &str> = view.pods.iter().filter_map(|pod| slot_of(pod)).collect();
    let mut guests: BTreeMap<String, Placement> = BTreeMap::new();
    let mut add = |unit: &Unit, pod: &PodUid| {
        if let Some(slot) = slots.get(pod.as_str()).filter(|slot| **slot != unit.home) {
            let there = guests.entry((*slot).to_owned()).or_default();
            *there = there.and(&unit.placement);
        }
    };
    for unit in units.all.values() {
        if let Some(holder) = owner(view, unit) {
            add(unit, &holder.pod);
        }
    }
    for (uid, pod) in &view.found.guests {
        if let Some(unit) = units.all.get(uid) {
            add(unit, pod);
        }
    }
    guests
}

fn slot_of(pod: &std::sync::Arc<Pod>) -> Option<(&str, &str)> {
    Some((pod.metadata.uid.as_deref()?, pod.labels().get(labels::SLOT)?))
}

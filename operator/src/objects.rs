//! All objects of a Cluster: those that are missing or not as they should be, and those that are needed no more.

use kube::ResourceExt;
use millrace_report::message::Configuration;

use crate::{
    build::{Owner, budget, config_map, pod, rollout, same, secret, service},
    decide::Known,
    decision::{Apply, Decision, Delete, Kind, Manager, Object},
    kept::Kept,
    labels, names,
    view::View,
};

/// Compares what should be with what is.
pub fn build(view: &View, kept: &Kept<'_>, owner: &Owner, known: &Known<'_>, into: &mut Decision) {
    // Without a final form nothing is known to be needless: all stays as it is.
    let Some(resolved) = &known.settled.resolved else { return };
    for (name, slot) in &known.slots {
        let before = kept.slots.get(name);
        let template = pod::template(owner, &view.settings, name, &slot.content.part);
        let configuration =
            Configuration { template: template.hash.clone(), ..slot.content.configuration.clone() };
        let wanted = secret::build(owner, &view.settings, name, &slot.placement, &configuration);
        if !before.and_then(|it| it.secret).is_some_and(|there| same::holds(there, &wanted)) {
            into.apply.push(Apply { manager: Manager::Config, object: Object::Secret(Box::new(wanted)) });
        }
        let wanted = config_map::build(owner, name, &slot.placement, &configuration);
        if !before.and_then(|it| it.config_map).is_some_and(|there| same::holds(there, &wanted)) {
            into.apply.push(Apply { manager: Manager::Config, object: Object::ConfigMap(Box::new(wanted)) });
        }
        let mut feeds = slot.placement.feeds.keys();
        let feed = feeds.next().filter(|_| feeds.next().is_none()).map(String::as_str);
        let pods = known.pods.get(name).map_or(&[][..], Vec::as_slice);
        rollout::step(owner, name, &template, feed, pods, view.now, into);
        into.configurations.insert(name.clone(), configuration);
    }
    front(view, owner, known, resolved, into);
    needless(view, known, into);
}

/// The Service and the budget.
fn front(
    view: &View,
    owner: &Owner,
    known: &Known<'_>,
    resolved: &millrace_crds::Resolved,
    into: &mut Decision,
) {
    let name = names::balancers(&owner.name);
    let there =
        view.services.iter().find(|it| it.name_any() == name && it.metadata.deletion_timestamp.is_none());
    match (service::build(owner, &resolved.cluster), there) {
        (Some(wanted), there) if !there.is_some_and(|there| same::holds(there.as_ref(), &wanted)) => {
            into.apply.push(Apply { manager: Manager::Build, object: Object::Service(Box::new(wanted)) });
        }
        (None, Some(there)) if owner.controls(&there.metadata) => {
            into.delete.push(Delete { kind: Kind::Service, name, uid: there.uid().unwrap_or_default() });
        }
        _ => {}
    }
    let wanted = (!known.slots.is_empty()).then(|| budget::build(owner, known.slots.len()));
    let name = names::servers(&owner.name);
    let there =
        view.budgets.iter().find(|it| it.name_any() == name && it.metadata.deletion_timestamp.is_none());
    match (wanted, there) {
        (Some(wanted), there) if !there.is_some_and(|there| same::holds(there.as_ref(), &wanted)) => {
            let object = Object::PodDisruptionBudget(Box::new(wanted));
            into.apply.push(Apply { manager: Manager::Build, object });
        }
        (None, Some(there)) if owner.controls(&there.metadata) => {
            let uid = there.uid().unwrap_or_default();
            into.delete.push(Delete { kind: Kind::PodDisruptionBudget, name, uid });
        }
        _ => {}
    }
}

/// Slots that nobody is in any more.
fn needless(view: &View, known: &Known<'_>, into: &mut Decision) {
    let slots = known.names();
    let pods = view.pods.iter().filter(|pod| {
        let slot = pod.labels().get(labels::SLOT);
        slot.is_some_and(|slot| !slots.contains(slot.as_str())) && pod.metadata.deletion_timestamp.is_none()
    });
    into.delete.extend(pods.map(|pod| rollout::delete(pod)));
    for map in view.config_maps.iter().filter(|it| it.metadata.deletion_timestamp.is_none()) {
        let name = map.name_any();
        if !slots.contains(name.as_str()) {
            into.delete.push(Delete { kind: Kind::ConfigMap, name, uid: map.uid().unwrap_or_default() });
        }
    }
    for secret in view.slot_secrets.iter().filter(|it| it.metadata.deletion_timestamp.is_none()) {
        let name = secret.name_any();
        if !slots.contains(name.as_str()) {
            into.delete.push(Delete { kind: Kind::Secret, name, uid: secret.uid().unwrap_or_default() });
        }
    }
}

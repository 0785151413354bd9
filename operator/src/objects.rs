//! All objects of a Cluster: those that are missing or not as they should be, and those that are needed no more.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use millrace_report::message::Configuration;

use crate::{
    build::{Owner, config_map, content, pod, rollout, same, secret},
    decide::Known,
    decision::{Apply, Decision, Delete, Kind, Manager, Object},
    failover::owns,
    front,
    kept::{self, Kept, Placement},
    labels,
    view::View,
};

/// Compares what should be with what is.
pub fn build(view: &View, kept: &Kept<'_>, owner: &Owner, known: &Known<'_>, into: &mut Decision) {
    // Without a final form nothing is known to be needless: all stays as it is.
    let Some(resolved) = &known.settled.resolved else { return };
    into.members = front::members(view, owner, known, into);
    for (name, slot) in &known.slots {
        let before = kept.slots.get(name);
        let template = pod::template(owner, &view.settings, name, slot.base());
        // The pods of one that leaves are there already, whatever others would be like.
        let hash = match before.map(kept::Slot::template).filter(|_| slot.leaves) {
            Some(there) => there.to_owned(),
            None => template.hash.clone(),
        };
        let configuration = Configuration { template: hash, ..slot.content.configuration.clone() };
        let wanted = secret::build(owner, &view.settings, name, &slot.placement, &configuration, view.now);
        if !before.and_then(|it| it.secret).is_some_and(|there| same::holds(there, &wanted)) {
            into.apply.push(Apply { manager: Manager::Config, object: Object::Secret(Box::new(wanted)) });
        }
        let wanted = config_map::build(owner, name, &slot.placement, &configuration, &into.members.servers);
        if !before.and_then(|it| it.config_map).is_some_and(|there| same::holds(there, &wanted)) {
            into.apply.push(Apply { manager: Manager::Config, object: Object::ConfigMap(Box::new(wanted)) });
        }
        into.configurations.insert(name.clone(), configuration);
        let pods = known.pods.get(name).map_or(&[][..], Vec::as_slice);
        let busy = |pod: &Pod| owns::busy(view, pod);
        if slot.leaves {
            rollout::empty(pods, &busy, into);
            continue;
        }
        let mut feeds = slot.placement.feeds.keys();
        let feed = feeds.next().filter(|_| feeds.next().is_none()).map(String::as_str);
        let standby = slot.base().feeds.values().any(|feed| feed.standby);
        let wants = rollout::Wants { feed, standby, busy: &busy };
        rollout::step(owner, name, &template, &wants, pods, view.now, into);
    }
    front::build(view, owner, known, resolved, into);
    needless(view, kept, known, resolved, into);
}

/// Slots that nobody is in any more.
fn needless(
    view: &View,
    kept: &Kept<'_>,
    known: &Known<'_>,
    resolved: &millrace_crds::Resolved,
    into: &mut Decision,
) {
    let slots = known.names();
    for (name, slot) in kept.slots.iter().filter(|(name, _)| !slots.contains(name.as_str())) {
        // Its pods hear it before they end: balancers would keep the viewers for another owner.
        let empty = content::content(resolved, &Placement::default(), Some(slot), 0).configuration;
        let empty = Configuration { template: slot.template().to_owned(), ..empty };
        into.configurations.insert(name.clone(), empty);
    }
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

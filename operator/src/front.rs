//! What viewers reach: Services, balancers with all that is theirs, and the budgets.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt as _};
use millrace_crds::Resolved;
use millrace_report::message::Configuration;
use serde::Serialize;

use crate::{
    balancing,
    build::{Owner, balancers, budget, content, same, service},
    decide::Known,
    decision::{Apply, Decision, Delete, Kind, Manager, Members, Object},
    kept::{self, Placement},
    keys::{self, When},
    labels, names,
    view::View,
};

/// A change of what is believed is looked for this often in any case.
const LOOK: Duration = Duration::from_mins(10);

/// Whom server pods and balancers believe.
pub fn members(view: &View, owner: &Owner, known: &Known<'_>, into: &mut Decision) -> Members {
    let settings = &view.settings;
    let when = When { now: view.now, period: settings.key_rotation };
    let stays = keys::stays(view.now, settings.key_rotation);
    if stays < LOOK {
        into.again = Some(into.again.map_or(stays, |again| again.min(stays)));
    }
    let (key, namespace) = (settings.token_key.as_slice(), owner.namespace.as_str());
    let slots = known.slots.keys().map(String::as_str);
    let mut balancers = settings.derived.balancers_trust(key, namespace, slots, when);
    balancers.pods = slots_of(view);
    Members { servers: settings.derived.servers_trust(key, namespace, &owner.name, when), balancers }
}

/// The slots of server pods, by UID: those that are there, and those that may be at work though their object is gone.
fn slots_of(view: &View) -> BTreeMap<String, String> {
    let slot = |pod: &Arc<Pod>| {
        let slot = pod.labels().get(labels::SLOT)?;
        Some((pod.metadata.uid.clone()?, slot.clone()))
    };
    let mut slots = view.owners_slots.clone();
    slots.extend(view.pods.iter().filter_map(slot));
    slots
}

/// Compares what should be with what is.
pub fn build(view: &View, owner: &Owner, known: &Known<'_>, resolved: &Resolved, into: &mut Decision) {
    let name = names::balancers(&owner.name);
    match service::build(owner, &resolved.cluster) {
        Some(wanted) => want(&view.services, wanted, Manager::Build, Object::Service, into),
        None => unwant(owner, &view.services, &name, Kind::Service, into),
    }
    let link = balancers::link_service::build(owner);
    want(&view.services, link, Manager::Build, Object::Service, into);
    balancers(view, owner, resolved, into);
    let budget = balancers::budget::build(owner);
    want(&view.budgets, budget, Manager::Build, Object::PodDisruptionBudget, into);
    match known.staying().count() {
        0 => {
            let name = names::servers(&owner.name);
            unwant(owner, &view.budgets, &name, Kind::PodDisruptionBudget, into);
        }
        slots => {
            let wanted = budget::build(owner, slots);
            want(&view.budgets, wanted, Manager::Build, Object::PodDisruptionBudget, into);
        }
    }
}

/// Their configuration, their Secret and their Deployment.
fn balancers(view: &View, owner: &Owner, resolved: &Resolved, into: &mut Decision) {
    let before = kept::Slot::of(view.balancers_config.as_deref(), view.balancers_secret.as_deref());
    let reports = view.balancers.iter().filter_map(|pod| view.reports.get(pod.metadata.uid.as_ref()?));
    let reported = reports.map(|report| report.revision).max().unwrap_or(0);
    let runs = content::content(resolved, &Placement::default(), Some(&before), reported).configuration;
    let template = balancers::deployment::template(owner, &view.settings, &resolved.cluster);
    let configuration = Configuration { template: template.hash.clone(), ..runs };
    let wanted = balancers::secret::build(owner, &view.settings, &configuration, view.now);
    let there: Vec<_> = view.balancers_secret.iter().cloned().collect();
    want(&there, wanted, Manager::Config, Object::Secret, into);
    let wanted = balancers::config_map::build(owner, &configuration, &into.members.balancers);
    let there: Vec<_> = view.balancers_config.iter().cloned().collect();
    want(&there, wanted, Manager::Config, Object::ConfigMap, into);
    let wanted = balancing::step(view, owner, &resolved.cluster, into);
    let deployment = balancers::deployment::build(owner, &template, wanted);
    want(&view.deployments, deployment, Manager::Build, Object::Deployment, into);
    into.configurations.insert(names::balancers(&owner.name), configuration);
}

/// An object is to be as `wanted`.
fn want<K: Resource<DynamicType = ()> + Serialize>(
    all: &[Arc<K>],
    wanted: K,
    manager: Manager,
    object: impl FnOnce(Box<K>) -> Object,
    into: &mut Decision,
) {
    let name = wanted.name_any();
    if !find(all, &name).is_some_and(|there| same::holds(there, &wanted)) {
        into.apply.push(Apply { manager, object: object(Box::new(wanted)) });
    }
}

/// There is to be none.
fn unwant<K: Resource<DynamicType = ()>>(
    owner: &Owner,
    all: &[Arc<K>],
    name: &str,
    kind: Kind,
    into: &mut Decision,
) {
    if let Some(there) = find(all, name).filter(|there| owner.controls(there.meta())) {
        let uid = there.uid().unwrap_or_default();
        into.delete.push(Delete { kind, name: name.to_owned(), uid });
    }
}

fn find<'a, K: Resource<DynamicType = ()>>(all: &'a [Arc<K>], name: &str) -> Option<&'a K> {
    let mut all = all.iter().map(Arc::as_ref);
    all.find(|it| it.name_any() == name && it.meta().deletion_timestamp.is_none())
}

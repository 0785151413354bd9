//! The API server: what becomes of objects that are applied and deleted.

use std::sync::Arc;

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Pod, Secret, Service},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Resource, ResourceExt};
use millrace_crds::kinds::{Feed, Stream};

use super::Simulated;
use crate::{
    decision::{Apply, Decision, Delete, Kind, Object, Status},
    labels,
    view::View,
};

impl Simulated {
    pub(super) fn meta(&mut self, name: &str, old: Option<&ObjectMeta>) -> ObjectMeta {
        self.next += 1;
        let mut meta = old.cloned().unwrap_or_else(|| ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.view.namespace.clone()),
            uid: Some(format!("uid-{}-{name}", self.next)),
            creation_timestamp: Some(Time(self.view.now)),
            ..ObjectMeta::default()
        });
        meta.generation = Some(meta.generation.unwrap_or(0) + 1);
        meta
    }

    pub(super) fn carry_out(&mut self, decision: &Decision) {
        for apply in &decision.apply {
            self.apply(apply);
        }
        for delete in &decision.delete {
            self.delete(delete);
        }
        for status in &decision.status {
            match status.clone() {
                Status::Cluster { status, .. } => {
                    let mut it = self.view.cluster.as_deref().cloned().unwrap();
                    it.status = Some(*status);
                    self.view.cluster = Some(Arc::new(it));
                }
                Status::Feed { name, status } => {
                    edit(&mut self.view.feeds, &name, |it| it.status = Some(*status));
                }
                Status::Stream { name, status } => {
                    edit(&mut self.view.streams, &name, |it| it.status = Some(*status));
                }
                Status::Room { name, status } => {
                    edit(&mut self.view.rooms, &name, |it| it.status = Some(*status));
                }
            }
        }
        self.events.extend(decision.events.iter().cloned());
    }

    fn apply(&mut self, apply: &Apply) {
        match apply.object.clone() {
            Object::ConfigMap(it) if it.name_any() == "default-balancers" => {
                let mut there: Vec<_> = self.view.balancers_config.take().into_iter().collect();
                self.merged(*it, &mut there, |old: &mut ConfigMap, new| old.data = new.data);
                self.view.balancers_config = there.pop();
            }
            Object::Secret(it) if it.name_any() == "default-balancers" => {
                let mut there: Vec<_> = self.view.balancers_secret.take().into_iter().collect();
                self.merged(*it, &mut there, |old: &mut Secret, new| old.data = new.data);
                self.view.balancers_secret = there.pop();
            }
            Object::Deployment(it) => self.merge(
                *it,
                |view| &mut view.deployments,
                |old: &mut Deployment, new| {
                    old.spec = new.spec;
                    // What the API server fills in.
                    let spec = old.spec.as_mut().unwrap();
                    spec.revision_history_limit = Some(10);
                    spec.template.spec.as_mut().unwrap().dns_policy = Some("ClusterFirst".into());
                },
            ),
            Object::ConfigMap(it) => {
                self.merge(*it, |view| &mut view.config_maps, |old: &mut ConfigMap, new| old.data = new.data);
            }
            Object::Secret(it) => {
                self.merge(*it, |view| &mut view.slot_secrets, |old: &mut Secret, new| old.data = new.data);
            }
            Object::Pod(it) if it.name_any().starts_with("default-balancers-") => {
                self.merge(*it, |view| &mut view.balancers, |_, _| {});
            }
            Object::Pod(it) => self.merge(
                *it,
                |view| &mut view.pods,
                |old: &mut Pod, new| {
                    if let Some(spec) = new.spec {
                        old.spec = Some(spec);
                    }
                },
            ),
            Object::Service(it) => self.merge(
                *it,
                |view| &mut view.services,
                |old: &mut Service, new| {
                    old.spec = new.spec;
                    for port in old.spec.as_mut().unwrap().ports.iter_mut().flatten() {
                        port.node_port = Some(30000 + port.port % 1000);
                    }
                    old.spec.as_mut().unwrap().cluster_ip.get_or_insert_with(|| "10.96.0.1".into());
                },
            ),
            Object::PodDisruptionBudget(it) => {
                self.merge(
                    *it,
                    |view| &mut view.budgets,
                    |old: &mut PodDisruptionBudget, new| old.spec = new.spec,
                );
            }
            Object::Feed(it) => {
                self.merge(*it, |view| &mut view.feeds, |old: &mut Feed, new| old.spec = new.spec);
            }
            Object::Stream(it) => {
                self.merge(*it, |view| &mut view.streams, |old: &mut Stream, new| old.spec = new.spec);
            }
        }
    }

    fn merge<K: Resource<DynamicType = ()> + Clone>(
        &mut self,
        new: K,
        list: impl Fn(&mut View) -> &mut Vec<Arc<K>>,
        into: impl Fn(&mut K, K),
    ) {
        let mut all = std::mem::take(list(&mut self.view));
        self.merged(new, &mut all, into);
        *list(&mut self.view) = all;
    }

    fn merged<K: Resource<DynamicType = ()> + Clone>(
        &mut self,
        new: K,
        all: &mut Vec<Arc<K>>,
        into: impl Fn(&mut K, K),
    ) {
        let name = new.name_any();
        let old = all.iter().find(|it| it.name_any() == name).cloned();
        let mut meta = self.meta(&name, old.as_ref().map(|it| it.meta()));
        let wanted = new.meta().clone();
        meta.labels.get_or_insert_default().extend(wanted.labels.unwrap_or_default());
        // What a manager leaves out of what it set before is taken away.
        meta.annotations.get_or_insert_default().remove(labels::FEWER);
        meta.annotations.get_or_insert_default().extend(wanted.annotations.unwrap_or_default());
        if wanted.owner_references.is_some() {
            meta.owner_references = wanted.owner_references;
        }
        let mut merged = old.map_or_else(|| new.clone(), |old| old.as_ref().clone());
        into(&mut merged, new);
        *merged.meta_mut() = meta;
        put(all, merged);
    }

    fn delete(&mut self, delete: &Delete) {
        fn drop_from<K: Resource<DynamicType = ()>>(all: &mut Vec<Arc<K>>, delete: &Delete) {
            let before = all.len();
            all.retain(|it| it.name_any() != delete.name || it.uid().as_deref() != Some(&delete.uid));
            assert_eq!(all.len() + 1, before, "{delete:?} is not there");
        }
        match delete.kind {
            Kind::ConfigMap => drop_from(&mut self.view.config_maps, delete),
            Kind::Secret => drop_from(&mut self.view.slot_secrets, delete),
            Kind::Pod => drop_from(&mut self.view.pods, delete),
            Kind::Service => drop_from(&mut self.view.services, delete),
            Kind::PodDisruptionBudget => drop_from(&mut self.view.budgets, delete),
            Kind::Deployment => drop_from(&mut self.view.deployments, delete),
            Kind::Feed => drop_from(&mut self.view.feeds, delete),
            Kind::Stream => drop_from(&mut self.view.streams, delete),
        }
    }
}

pub(super) fn put<K: Resource<DynamicType = ()>>(all: &mut Vec<Arc<K>>, new: K) {
    all.retain(|it| it.name_any() != new.name_any());
    all.push(Arc::new(new));
}

pub(super) fn edit<K: Resource<DynamicType = ()> + Clone>(
    all: &mut [Arc<K>],
    name: &str,
    change: impl FnOnce(&mut K),
) {
    let it = all.iter_mut().find(|it| it.name_any() == name).unwrap();
    let mut new = it.as_ref().clone();
    change(&mut new);
    *it = Arc::new(new);
}

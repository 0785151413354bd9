//! Carries out what was decided: applies and deletes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Debug,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod, Secret, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use millrace_crds::kinds::{Feed, Stream};
use serde::Serialize;
use tokio::{sync::Semaphore, time};
use tracing::{info, warn};

use crate::{
    api::{ErrorClass, kind_of},
    decision::{Apply, Delete, Kind, Object},
    labels,
    leader::Term,
    metrics::Metrics,
    watch::{Shelf, Stores, Watched, version_of},
};

/// The most requests that write at one time: the API server queues those of one user behind each other, and those
/// that renew the Lease are among them.
const AT_ONCE: usize = 10;
const REQUEST: Duration = Duration::from_secs(10);
/// How long what was written may take to be seen.
pub(crate) const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// Writes to the API server.
pub struct Writer {
    client: Client,
    stores: Arc<Stores>,
    term: Arc<Term>,
    metrics: Arc<Metrics>,
    turns: Semaphore,
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The API server said no, or nothing.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// It did not answer.
    #[error("no answer within {} s", REQUEST.as_secs())]
    Late,
    /// This replica leads no more.
    #[error("this replica does not lead any more")]
    Deposed,
}

impl WriteError {
    /// Its class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Api(error) => kind_of(error),
            Self::Late => ErrorClass::Network,
            Self::Deposed => ErrorClass::Other,
        }
    }

    /// The namespace is being deleted: nothing can be made in it, and all in it goes.
    fn ends(&self) -> bool {
        let Self::Api(kube::Error::Api(status)) = self else { return false };
        let causes = status.details.iter().flat_map(|details| &details.causes);
        status.code == 403
            && causes.map(|cause| cause.reason.as_str()).any(|reason| reason == "NamespaceTerminating")
    }
}

/// What came of writing.
#[derive(Debug, Default)]
pub struct Written {
    /// What was written, to be waited for: kinds of shelves with the newest version of each.
    seen: Vec<(Kind, u64)>,
    /// How many writes came through.
    pub done: usize,
    /// How many failed in a way that may pass.
    pub failed: usize,
    /// What the API server does not take as it is: kind, name and why.
    pub refused: Vec<(&'static str, String, String)>,
    /// Slots of which not all was written: what is not kept must not run.
    pub lost: BTreeSet<String>,
}

impl Written {
    fn add(&mut self, other: Self) {
        self.seen.extend(other.seen);
        self.done += other.done;
        self.failed += other.failed;
        self.refused.extend(other.refused);
        self.lost.extend(other.lost);
    }
}

impl Writer {
    /// One that writes while it leads.
    pub fn new(client: Client, stores: Arc<Stores>, term: Arc<Term>, metrics: Arc<Metrics>) -> Self {
        Self { client, stores, term, metrics, turns: Semaphore::new(AT_ONCE) }
    }

    /// Applies all of this: what belongs to one slot in the order given, slots side by side.
    pub async fn apply(&self, namespace: &str, all: Vec<Apply>) -> Written {
        let lanes = stream::iter(lanes(all)).map(|lane| self.lane(namespace, lane));
        let mut lanes = lanes.buffer_unordered(AT_ONCE);
        let mut written = Written::default();
        while let Some(one) = lanes.next().await {
            written.add(one);
        }
        written
    }

    /// Deletes all of this.
    pub async fn delete(&self, namespace: &str, all: Vec<Delete>) -> Written {
        let deletes = stream::iter(all).map(|delete| self.delete_one(namespace, delete));
        let mut deletes = deletes.buffer_unordered(AT_ONCE);
        let mut written = Written::default();
        while let Some(one) = deletes.next().await {
            written.add(one);
        }
        written
    }

    /// Waits until the watches have seen what was written.
    pub async fn seen(&self, namespace: &str, written: &Written) {
        let mut newest: BTreeMap<Kind, u64> = BTreeMap::new();
        for (kind, version) in &written.seen {
            let newest = newest.entry(*kind).or_default();
            *newest = (*newest).max(*version);
        }
        let stores = &self.stores;
        for (kind, version) in newest {
            let seen = match kind {
                Kind::ConfigMap => stores.config_maps.reaches(namespace, version, SEEN_WITHIN).await,
                Kind::Secret => stores.slot_secrets.reaches(namespace, version, SEEN_WITHIN).await,
                Kind::Pod => stores.pods.reaches(namespace, version, SEEN_WITHIN).await,
                Kind::Service => stores.services.reaches(namespace, version, SEEN_WITHIN).await,
                Kind::PodDisruptionBudget => stores.budgets.reaches(namespace, version, SEEN_WITHIN).await,
                Kind::Deployment => stores.deployments.reaches(namespace, version, SEEN_WITHIN).await,
                Kind::Feed => stores.feeds.reaches(namespace, version, SEEN_WITHIN).await,
                Kind::Stream => stores.streams.reaches(namespace, version, SEEN_WITHIN).await,
            };
            if !seen {
                warn!(namespace, ?kind, "what was written has not been seen for {} s", SEEN_WITHIN.as_secs());
            }
        }
    }

    async fn lane(&self, namespace: &str, lane: Vec<Apply>) -> Written {
        let mut written = Written::default();
        let slot = lane.iter().find_map(|apply| slot(&apply.object));
        for apply in lane {
            let (kind, name) = (kind(&apply.object), name(&apply.object));
            match self.apply_one(namespace, &name, &apply).await {
                Ok(version) => {
                    self.metrics.applied(kind_name(kind));
                    written.seen.push((kind, version));
                    written.done += 1;
                }
                // What comes after it in its lane rests on it.
                Err(error) => {
                    self.note(namespace, kind, name, &error, &mut written);
                    written.lost.extend(slot);
                    break;
                }
            }
        }
        written
    }

    fn note(&self, namespace: &str, kind: Kind, name: String, error: &WriteError, written: &mut Written) {
        // The namespace goes, or the process does: nothing is to be tried again.
        if error.ends() || matches!(error, WriteError::Deposed) {
            return;
        }
        self.metrics.error(error.class());
        // The API server's words about a Secret might hold what is in it.
        let why = match kind {
            Kind::Secret => error.class().name().to_owned(),
            _ => error.to_string(),
        };
        let kind = kind_name(kind);
        warn!(namespace, kind, name, "cannot be written: {why}");
        let class = error.class();
        written.failed += usize::from(class != ErrorClass::Invalid);
        if matches!(class, ErrorClass::Invalid | ErrorClass::Forbidden) {
            written.refused.push((kind, name, why));
        }
    }

    async fn apply_one(&self, namespace: &str, name: &str, apply: &Apply) -> Result<u64, WriteError> {
        let parameters = PatchParams::apply(apply.manager.name()).force();
        let at = (namespace, name);
        match &apply.object {
            Object::ConfigMap(it) => self.patch::<ConfigMap, _>(at, &parameters, it).await,
            Object::Secret(it) => self.patch::<Secret, _>(at, &parameters, it).await,
            Object::Pod(it) => self.patch::<Pod, _>(at, &parameters, it).await,
            Object::Service(it) => self.patch::<Service, _>(at, &parameters, it).await,
            Object::PodDisruptionBudget(it) => {
                self.patch::<PodDisruptionBudget, _>(at, &parameters, it).await
            }
            Object::Deployment(it) => self.patch::<Deployment, _>(at, &parameters, it).await,
            Object::Feed(it) => self.patch::<Feed, _>(at, &parameters, it).await,
            Object::Stream(it) => self.patch::<Stream, _>(at, &parameters, it).await,
        }
    }

    async fn patch<K: Watched, P: Serialize + Debug + Sync>(
        &self,
        (namespace, name): (&str, &str),
        parameters: &PatchParams,
        object: &P,
    ) -> Result<u64, WriteError> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let patch = Patch::Apply(object);
        let applied = self.ask(api.patch_metadata(name, parameters, &patch)).await?;
        Ok(version_of(applied.resource_version().as_deref()))
    }

    /// Asks in turn, and only while it leads.
    pub(crate) async fn ask<T>(
        &self,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, WriteError> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        if !self.term.leads() {
            return Err(WriteError::Deposed);
        }
        match time::timeout(REQUEST, request).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(WriteError::Late),
        }
    }

    async fn delete_one(&self, namespace: &str, delete: Delete) -> Written {
        let stores = &self.stores;
        let deleted = match delete.kind {
            Kind::ConfigMap => self.remove(namespace, &delete, &stores.config_maps).await,
            Kind::Secret => self.remove(namespace, &delete, &stores.slot_secrets).await,
            Kind::Pod => self.remove(namespace, &delete, &stores.pods).await,
            Kind::Service => self.remove(namespace, &delete, &stores.services).await,
            Kind::PodDisruptionBudget => self.remove(namespace, &delete, &stores.budgets).await,
            Kind::Deployment => self.remove(namespace, &delete, &stores.deployments).await,
            Kind::Feed => self.remove(namespace, &delete, &stores.feeds).await,
            Kind::Stream => self.remove(namespace, &delete, &stores.streams).await,
        };
        let mut written = Written::default();
        match deleted {
            Ok(()) => {
                info!(namespace, kind = kind_name(delete.kind), name = delete.name, "deleted");
                self.metrics.deleted(kind_name(delete.kind));
                written.done += 1;
            }
            // It is gone, or another is in its place: the next look will see.
            Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::Conflict) => {}
            Err(error) => self.note(namespace, delete.kind, delete.name, &error, &mut written),
        }
        written
    }

    async fn remove<K: Watched>(
        &self,
        namespace: &str,
        delete: &Delete,
        from: &Shelf<K>,
    ) -> Result<(), WriteError> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let preconditions = Preconditions { uid: Some(delete.uid.clone()), resource_version: None };
        let parameters = DeleteParams::background().preconditions(preconditions);
        self.ask(api.delete(&delete.name, &parameters)).await?;
        from.leaves(namespace, &delete.name, &delete.uid, SEEN_WITHIN).await;
        Ok(())
    }
}

/// Objects of a slot, and all that is applied to one object, in one lane each.
fn lanes(all: Vec<Apply>) -> Vec<Vec<Apply>> {
    let mut lanes: Vec<Vec<Apply>> = Vec::new();
    let mut by_object: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    let mut by_slot: HashMap<String, usize> = HashMap::new();
    for apply in all {
        let object = (kind(&apply.object), name(&apply.object));
        let slot = slot(&apply.object);
        let known =
            by_object.get(&object).or_else(|| slot.as_ref().and_then(|slot| by_slot.get(slot))).copied();
        let lane = known.unwrap_or(lanes.len());
        match lanes.get_mut(lane) {
            Some(lane) => lane.push(apply),
            None => lanes.push(vec![apply]),
        }
        by_object.insert(object, lane);
        slot.map(|slot| by_slot.entry(slot).or_insert(lane));
    }
    lanes
}

fn kind(object: &Object) -> Kind {
    match object {
        Object::ConfigMap(_) => Kind::ConfigMap,
        Object::Secret(_) => Kind::Secret,
        Object::Pod(_) => Kind::Pod,
        Object::Service(_) => Kind::Service,
        Object::PodDisruptionBudget(_) => Kind::PodDisruptionBudget,
        Object::Deployment(_) => Kind::Deployment,
        Object::Feed(_) => Kind::Feed,
        Object::Stream(_) => Kind::Stream,
    }
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::ConfigMap => "ConfigMap",
        Kind::Secret => "Secret",
        Kind::Pod => "Pod",
        Kind::Service => "Service",
        Kind::PodDisruptionBudget => "PodDisruptionBudget",
        Kind::Deployment => "Deployment",
        Kind::Feed => "Feed",
        Kind::Stream => "Stream",
    }
}

fn metadata(object: &Object) -> &kube::api::ObjectMeta {
    match object {
        Object::ConfigMap(it) => &it.metadata,
        Object::Secret(it) => &it.metadata,
        Object::Pod(it) => &it.metadata,
        Object::Service(it) => &it.metadata,
        Object::PodDisruptionBudget(it) => &it.metadata,
        Object::Deployment(it) => &it.metadata,
        Object::Feed(it) => &it.metadata,
        Object::Stream(it) => &it.metadata,
    }
}

fn name(object: &Object) -> String {
    metadata(object).name.clone().unwrap_or_default()
}

fn slot(object: &Object) -> Option<String> {
    metadata(object).labels.as_ref()?.get(labels::SLOT).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Manager;

    fn apply(kind: &str, name: &str, slot: Option<&str>) -> Apply {
        let metadata = kube::api::ObjectMeta {
            name: Some(name.to_owned()),
            labels: slot.map(|slot| labels::map([(labels::SLOT, slot)])),
            ..kube::api::ObjectMeta::default()
        };
        let object = match kind {
            "Pod" => Object::Pod(Box::new(Pod { metadata, ..Pod::default() })),
            "Service" => Object::Service(Box::new(Service { metadata, ..Service::default() })),
            _ => Object::Secret(Box::new(Secret { metadata, ..Secret::default() })),
        };
        Apply { manager: Manager::Build, object }
    }

    #[test]
    fn a_slots_objects_stay_in_order_and_slots_do_not_wait_for_each_other() {
        let all = vec![
            apply("Secret", "a", Some("a")),
            apply("Secret", "b", Some("b")),
            apply("Service", "s", None),
            apply("Pod", "a-1", Some("a")),
            apply("Pod", "a-1", None),
            apply("Pod", "b-1", Some("b")),
        ];
        let lanes = lanes(all);
        let names: Vec<Vec<String>> =
            lanes.iter().map(|lane| lane.iter().map(|apply| name(&apply.object)).collect()).collect();
        assert_eq!(names, [vec!["a", "a-1", "a-1"], vec!["b", "b-1"], vec!["s"]]);
    }
}

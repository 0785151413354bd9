//! Status and Events: what people are told.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1 as events},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    core::PartialObjectMeta,
};
use millrace_crds::kinds::{Cluster, Feed, Room, Stream};
use serde::Serialize;
use serde_json::json;
use tracing::{debug, info, warn};

use super::{
    apply::{WriteError, Writer},
    gather::Broken,
};
use crate::{
    api::ErrorClass,
    decision::{Event, Manager, Status},
    metrics::Metrics,
    reason::Reason,
    view::View,
    watch::{Shelf, Stores, Watched, version_of},
};

/// The most characters of an Event's note; the API server takes 1024 bytes.
const NOTE: usize = 1024;
const CONTROLLER: &str = "millrace.dev/operator";
/// What the API server says of an apply with a field that the CRD does not have.
const UNDECLARED: &str = "field not declared in schema";

/// Writes status and Events.
pub struct Teller {
    client: Client,
    stores: Arc<Stores>,
    metrics: Arc<Metrics>,
    /// This replica.
    instance: String,
    /// What was said last of objects that have no status to say it, by UID.
    said: Mutex<HashMap<String, String>>,
}

impl Teller {
    /// One that says it is `instance`.
    pub fn new(client: Client, stores: Arc<Stores>, metrics: Arc<Metrics>, instance: String) -> Self {
        Self { client, stores, metrics, instance, said: Mutex::default() }
    }

    /// Writes a status where it differs from what is there; true where it was written. An object that is gone or
    /// another by now is no fault.
    ///
    /// # Errors
    /// Where it may be tried again.
    pub async fn status(&self, writer: &Writer, view: &View, status: &Status) -> Result<bool, WriteError> {
        let stores = &self.stores;
        match status {
            Status::Cluster { name, status } => {
                let there = view.cluster.as_ref().filter(|it| it.name_any() == *name);
                let same = there.is_some_and(|it| it.status.as_ref() == Some(status.as_ref()));
                self.put(writer, view, name, there, same, status, &stores.clusters).await
            }
            Status::Feed { name, status } => {
                let there = view.feeds.iter().find(|it| it.metadata.name.as_ref() == Some(name));
                let same = there.is_some_and(|it| it.status.as_ref() == Some(status.as_ref()));
                self.put(writer, view, name, there, same, status, &stores.feeds).await
            }
            Status::Stream { name, status } => {
                let there = view.streams.iter().find(|it| it.metadata.name.as_ref() == Some(name));
                let same = there.is_some_and(|it| it.status.as_ref() == Some(status.as_ref()));
                self.put(writer, view, name, there, same, status, &stores.streams).await
            }
            Status::Room { name, status } => {
                let there = view.rooms.iter().find(|it| it.metadata.name.as_ref() == Some(name));
                let same = there.is_some_and(|it| it.status.as_ref() == Some(status.as_ref()));
                self.put(writer, view, name, there, same, status, &stores.rooms).await
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one for each part of one request")]
    async fn put<K: Watched>(
        &self,
        writer: &Writer,
        view: &View,
        name: &str,
        there: Option<&Arc<K>>,
        same: bool,
        status: &(impl Serialize + Sync),
        of: &Shelf<K>,
    ) -> Result<bool, WriteError> {
        if same {
            return Ok(false);
        }
        // With its UID, so that it is not said of another of the same name.
        let mut metadata = json!({"name": name});
        if let (Some(uid), Some(fields)) =
            (there.and_then(|it| it.meta().uid.clone()), metadata.as_object_mut())
        {
            fields.insert("uid".to_owned(), uid.into());
        }
        let mut body = json!({
            "apiVersion": K::api_version(&()), "kind": K::KIND, "metadata": metadata, "status": status,
        });
        // Whoever gives an epoch away writes it, and nobody else.
        body.get_mut("status").and_then(|it| it.as_object_mut()).map(|it| it.remove("epoch"));
        let api: Api<PartialObjectMeta<K>> = Api::namespaced(self.client.clone(), &view.namespace);
        let parameters = PatchParams::apply(Manager::Status.name()).force();
        let mut answer = writer.ask(api.patch_status(name, &parameters, &Patch::Apply(&body))).await;
        if answer.as_ref().is_err_and(|error| error.to_string().contains(UNDECLARED)) {
            // The CRD is older than this operator. A merge loses what it does not know, and keeps the rest.
            let parameters =
                PatchParams { field_manager: parameters.field_manager, ..PatchParams::default() };
            answer = writer.ask(api.patch_status(name, &parameters, &Patch::Merge(&body))).await;
        }
        match answer {
            Ok(written) => {
                let version = version_of(written.resource_version().as_deref());
                of.reaches(&view.namespace, version, super::apply::SEEN_WITHIN).await;
                Ok(true)
            }
            Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::Conflict) => {
                debug!(kind = K::KIND, name, "has no status to write: {error}");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Records an Event, if the API server takes it.
    pub async fn event(&self, writer: &Writer, namespace: &str, event: &Event) {
        let Event { kind, name, uid, reason, note } = event;
        if reason.is_warning() {
            warn!(namespace, kind, name, reason = reason.name(), "{note}");
        } else {
            info!(namespace, kind, name, reason = reason.name(), "{note}");
        }
        let api: Api<events::Event> = Api::namespaced(self.client.clone(), namespace);
        let recorded = self.recorded(namespace, event, Timestamp::now());
        match writer.ask(api.create(&PostParams::default(), &recorded)).await {
            Ok(_) => self.metrics.event(reason.name()),
            Err(error) => {
                self.metrics.error(error.class());
                debug!(namespace, kind, name, uid, "an Event could not be recorded: {error}");
            }
        }
    }

    /// An object that cannot be read: its status and an Event say so, once for each fault of it.
    pub async fn unreadable(&self, writer: &Writer, namespace: &str, broken: &Broken) {
        let fault = format!("{:?} {}", broken.generation, broken.object.error);
        {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.insert(broken.uid.clone(), fault.clone()) == Some(fault) {
                return;
            }
        }
        let note = format!("it cannot be read, and what ran of it runs on: {}", broken.object.error);
        let told = match broken.object.kind {
            Feed::KIND => self.not_ready::<Feed>(writer, namespace, broken, &note).await,
            Stream::KIND => self.not_ready::<Stream>(writer, namespace, broken, &note).await,
            Room::KIND => self.not_ready::<Room>(writer, namespace, broken, &note).await,
            _ => self.not_ready::<Cluster>(writer, namespace, broken, &note).await,
        };
        if let Err(error) = told {
            self.metrics.error(error.class());
            warn!(namespace, kind = broken.object.kind, name = broken.object.name, "its status: {error}");
            self.said.lock().unwrap_or_else(PoisonError::into_inner).remove(&broken.uid);
        }
        let (kind, name, uid) = (broken.object.kind, broken.object.name.clone(), broken.uid.clone());
        self.event(writer, namespace, &Event { kind, name, uid, reason: Reason::Unreadable, note }).await;
    }

    async fn not_ready<K: Watched>(
        &self,
        writer: &Writer,
        namespace: &str,
        broken: &Broken,
        why: &str,
    ) -> Result<(), WriteError> {
        let condition = json!({
            "type": "Ready", "status": "False", "reason": Reason::Unreadable.name(), "message": why,
            "lastTransitionTime": Timestamp::now().to_string(), "observedGeneration": broken.generation,
        });
        let name = broken.object.name.as_str();
        let body = json!({
            "apiVersion": K::api_version(&()), "kind": K::KIND, "metadata": {"name": name, "uid": broken.uid},
            "status": {"conditions": [condition], "observedGeneration": broken.generation},
        });
        let api: Api<PartialObjectMeta<K>> = Api::namespaced(self.client.clone(), namespace);
        let parameters = PatchParams::apply(Manager::Status.name()).force();
        match writer.ask(api.patch_status(name, &parameters, &Patch::Apply(&body))).await {
            Err(error) if !matches!(error.class(), ErrorClass::NotFound | ErrorClass::Conflict) => Err(error),
            _ => Ok(()),
        }
    }

    /// What the API server does not take as it is: an Event of the Cluster once for each fault.
    pub async fn refused(&self, writer: &Writer, view: &View, refused: &[&(&'static str, String, String)]) {
        let Some(uid) = view.cluster.as_ref().and_then(|cluster| cluster.uid()) else { return };
        let mut new = Vec::new();
        {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            let key = |kind: &str, name: &str| format!("{uid}/{kind}/{name}");
            let still: HashSet<String> = refused.iter().map(|(kind, name, _)| key(kind, name)).collect();
            said.retain(|about, _| !about.starts_with(&format!("{uid}/")) || still.contains(about));
            for (kind, name, why) in refused {
                if said.insert(key(kind, name), why.clone()).as_ref() != Some(why) {
                    new.push(format!("The API server refuses the {kind} {name}: {why}"));
                }
            }
        }
        for note in new {
            let (name, uid) = (view.name.clone(), uid.clone());
            let event = Event { kind: Cluster::KIND, name, uid, reason: Reason::Invalid, note };
            self.event(writer, &view.namespace, &event).await;
        }
    }

    fn recorded(&self, namespace: &str, event: &Event, now: Timestamp) -> events::Event {
        let kind = event.reason.is_warning();
        events::Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", event.name, now.as_nanosecond())),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            action: Some("Reconcile".to_owned()),
            reason: Some(event.reason.name().to_owned()),
            type_: Some(if kind { "Warning" } else { "Normal" }.to_owned()),
            note: Some(short(&event.note)),
            regarding: Some(ObjectReference {
                api_version: Some(Cluster::api_version(&()).into_owned()),
                kind: Some(event.kind.to_owned()),
                name: Some(event.name.clone()),
                namespace: Some(namespace.to_owned()),
                uid: Some(event.uid.clone()),
                ..ObjectReference::default()
            }),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..events::Event::default()
        }
    }
}

/// The object that a status is about: its kind and name.
pub fn about(status: &Status) -> (&'static str, &str) {
    match status {
        Status::Cluster { name, .. } => (Cluster::KIND, name),
        Status::Feed { name, .. } => (Feed::KIND, name),
        Status::Stream { name, .. } => (Stream::KIND, name),
        Status::Room { name, .. } => (Room::KIND, name),
    }
}

fn short(note: &str) -> String {
    if note.len() <= NOTE {
        return note.to_owned();
    }
    let end = note.floor_char_boundary(NOTE - '…'.len_utf8());
    format!("{}…", note.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let long = "ä".repeat(600);
        let note = short(&long);
        assert!(note.len() <= 1024 && note.ends_with('…'));
        assert_eq!(short("short"), "short");
    }
}

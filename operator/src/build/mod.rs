//! What Kubernetes is asked for. Each object has a file, and is built without looking at what is there.

pub mod balancers;
pub mod budget;
pub mod config_map;
pub mod containers;
pub mod content;
pub mod pod;
pub mod quantity;
pub mod resources;
pub mod rollout;
pub mod same;
pub mod secret;
pub mod service;
pub mod volumes;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::labels::Map;

/// How long a media pod that is to end has for that, in seconds: its work moves to others, and viewers may watch on.
pub const DRAIN: i64 = 30;

/// The Cluster that owns everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl Owner {
    /// Metadata of an object that is the Cluster's.
    pub fn metadata(&self, name: &str, labels: Map, annotations: Map) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.namespace.clone()),
            labels: Some(labels),
            annotations: (!annotations.is_empty()).then_some(annotations),
            owner_references: Some(vec![self.reference()]),
            ..ObjectMeta::default()
        }
    }

    fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: millrace_crds::kinds::API_VERSION.to_owned(),
            kind: "Cluster".to_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// Whether it controls an object.
    pub fn controls(&self, metadata: &ObjectMeta) -> bool {
        let mut owners = metadata.owner_references.iter().flatten();
        owners.any(|owner| owner.controller == Some(true) && owner.uid == self.uid)
    }
}

//! An object as the API server gave it, or why it cannot be read: one of those must never stop a watch.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Resource;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use crate::labels;

/// What is watched in whole objects.
pub trait Watched:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Where the name of its Cluster is.
    const BELONGS: Belongs;
    /// Its kind.
    const KIND: &'static str;
    /// Its plural and its group, as `kubectl` takes them.
    const RESOURCE: &'static str;
    /// Drops what is not needed of an object, before it is read.
    fn trim(_: &mut Value) {}
}

/// Where the name of an object's Cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// It is one.
    Itself,
    /// In `spec.clusterRef.name`.
    Reference,
    /// In the label `millrace.dev/cluster`.
    Label,
}

/// An object, and what is known of it even if it cannot be read.
#[derive(Clone, Debug)]
pub struct Guarded<K> {
    /// The object.
    pub object: Result<K, Unreadable>,
    /// Its Cluster's name.
    pub cluster: Option<String>,
    /// The Secrets it names.
    pub secrets: Arc<[String]>,
}

/// An object that cannot be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Why.
    pub error: String,
}

impl<'de, K: Watched> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        K::trim(&mut value);
        let cluster = cluster(&value, K::BELONGS);
        let mut secrets = BTreeSet::new();
        if K::BELONGS != Belongs::Label {
            named_secrets(value.get("spec").unwrap_or(&Value::Null), &mut secrets);
        }
        let metadata = value.get("metadata").cloned().unwrap_or_default();
        let object = match serde_json::from_value::<K>(value) {
            Ok(object) => Ok(object),
            Err(error) => {
                let metadata = serde_json::from_value(metadata).map_err(serde::de::Error::custom)?;
                Err(Unreadable { metadata, error: error.to_string() })
            }
        };
        Ok(Self { object, cluster, secrets: secrets.into_iter().collect() })
    }
}

fn cluster(value: &Value, belongs: Belongs) -> Option<String> {
    let name = match belongs {
        Belongs::Itself => value.pointer("/metadata/name"),
        Belongs::Reference => value.pointer("/spec/clusterRef/name"),
        Belongs::Label => {
            value.get("metadata").and_then(|it| it.get("labels")).and_then(|it| it.get(labels::CLUSTER))
        }
    };
    let name = name.and_then(Value::as_str);
    name.or((belongs == Belongs::Reference).then_some("default")).map(str::to_owned)
}

/// Every way in which our resources name a Secret: `secretRef.name`, `secretKeyRef.name`, `secretName`.
fn named_secrets(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let named = match field.as_str() {
                    "secretRef" | "secretKeyRef" => value.get("name").and_then(Value::as_str),
                    "secretName" => value.as_str(),
                    _ => None,
                };
                match named {
                    Some(name) => drop(into.insert(name.to_owned())),
                    None => named_secrets(value, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named_secrets(item, into)),
        _ => {}
    }
}

impl<K: Watched> Resource for Guarded<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        match &self.object {
            Ok(object) => object.meta(),
            Err(unreadable) => &unreadable.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.object {
            Ok(object) => object.meta_mut(),
            Err(unreadable) => &mut unreadable.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_crds::kinds::Feed;
    use serde_json::json;

    use super::*;

    fn feed(spec: &Value) -> Guarded<Feed> {
        let metadata = json!({"name": "door", "namespace": "a", "managedFields": [{"manager": "kubectl"}]});
        let value = json!({"apiVersion": "millrace.dev/v1alpha1", "kind": "Feed", "metadata": metadata, "spec": spec});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_object_that_cannot_be_read_keeps_its_name_its_cluster_and_the_reason() {
        let broken = feed(&json!({"clusterRef": {"name": "north"}, "source": {}, "silence": {"a": 1}}));
        let unreadable = broken.object.as_ref().unwrap_err();
        assert_eq!(unreadable.metadata.name.as_deref(), Some("door"));
        assert!(!unreadable.error.is_empty());
        assert_eq!(broken.cluster.as_deref(), Some("north"));
        assert_eq!(broken.meta().namespace.as_deref(), Some("a"));
    }

    #[test]
    fn managed_fields_are_dropped_and_the_default_cluster_is_default() {
        let read = feed(&json!({"source": {"command": ["ffmpeg"]}}));
        assert_eq!(read.object.as_ref().unwrap().metadata.managed_fields, None);
        assert_eq!(read.cluster.as_deref(), Some("default"));
    }

    #[test]
    fn the_secrets_that_an_object_names_are_found() {
        let spec = json!({
            "source": {"pull": {"credentials": {"secretRef": {"name": "camera"}}, "urlFrom": {"secretKeyRef": {"name": "url", "key": "k"}}}},
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "env", "key": "k"}}}, {"name": "B", "value": "secretName"}],
        });
        assert_eq!(feed(&spec).secrets.to_vec(), ["camera", "env", "url"]);
    }
}

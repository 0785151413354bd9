use serde_json::{Value, json};

use super::{metadata, secret};
use crate::crd;

/// The schemas of whole documents, by kind: what the CRD says, and `metadata` as the API server knows it.
pub(super) struct Schemas(Vec<(&'static str, Value)>);

impl Schemas {
    pub(super) fn new() -> Self {
        let ours =
            crd::definitions().iter().map(|definition| (definition.kind, document(definition.schema())));
        Self(ours.chain([("Secret", secret::schema())]).collect())
    }

    pub(super) fn of(&self, kind: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| *name == kind).map(|(_, schema)| schema)
    }
}

fn document(schema: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["metadata", "spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": metadata::schema(),
            "spec": schema.pointer("/properties/spec"),
            // What `kubectl get -o yaml` wrote may be read; its status means nothing here.
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
        "x-kubernetes-validations": schema.get("x-kubernetes-validations"),
    })
}

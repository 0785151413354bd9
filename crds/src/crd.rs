//! The four custom resource definitions, as they are installed.

use std::sync::OnceLock;

use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::{
    kinds::{Cluster, Feed, Room, Stream},
    yaml::emit,
};

/// One custom resource definition.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The kind: `Feed`.
    pub kind: &'static str,
    /// The name of its file: `feeds.yaml`.
    pub file: &'static str,
    /// The whole object, as JSON.
    pub object: Value,
}

impl Definition {
    /// The schema of its one version.
    pub fn schema(&self) -> &Value {
        static NONE: Value = Value::Null;
        self.object.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap_or(&NONE)
    }

    /// The object as YAML, as it stands in `manifests/crds`.
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        emit::write(&mut out, &self.object);
        out
    }
}

/// All of them: Cluster, Feed, Room, Stream.
pub fn definitions() -> &'static [Definition] {
    // Building schemas takes milliseconds and gives the same every time.
    static DEFINITIONS: OnceLock<Vec<Definition>> = OnceLock::new();
    DEFINITIONS.get_or_init(|| {
        vec![
            definition("Cluster", "clusters.yaml", &Cluster::crd()),
            definition("Feed", "feeds.yaml", &Feed::crd()),
            definition("Room", "rooms.yaml", &Room::crd()),
            definition("Stream", "streams.yaml", &Stream::crd()),
        ]
    })
}

fn definition(kind: &'static str, file: &'static str, crd: &impl serde::Serialize) -> Definition {
    let mut object = serde_json::to_value(crd).unwrap_or_default();
    tidy(&mut object);
    if let Some(labels) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        labels.insert("labels".to_owned(), json!({"app.kubernetes.io/name": "millrace"}));
        // Whoever uninstalls a chart does not mean to lose every Feed and Stream.
        labels.insert("annotations".to_owned(), json!({"helm.sh/resource-policy": "keep"}));
    }
    Definition { kind, file, object }
}

/// Takes `nullable` out, so that the API server treats a null as absent, as we do; and formats that only Rust knows.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                fields.remove("nullable");
            }
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                fields.remove("format");
            }
            // Whole numbers as such: `minimum: 0`, not `0.0`.
            for limit in ["minimum", "maximum"] {
                if let Some(number) =
                    fields.get(limit).and_then(Value::as_f64).filter(|number| number.fract() == 0.0)
                {
                    fields.insert(limit.to_owned(), Value::from(number as i64));
                }
            }
            // Doc comments are wrapped; descriptions are not.
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace("\n\n", "\u{0}").replace('\n', " ").replace('\u{0}', "\n\n");
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

//! The committed CRDs are what the types say, and they are what Kubernetes wants of a CRD.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what is wrong by failing")]

use std::{collections::BTreeSet, fs, path::Path};

use millrace_crds::crd;
use serde_json::Value;

#[test]
fn the_committed_crds_are_those_of_the_types() {
    for directory in ["../manifests/crds", "../charts/millrace-crds/files"] {
        are_those_of_the_types(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory));
    }
}

fn are_those_of_the_types(directory: &Path) {
    for definition in crd::definitions() {
        let path = directory.join(definition.file);
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == definition.to_yaml(), "{} differs: make crds", path.display());
    }
    let files: BTreeSet<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), crd::definitions().len(), "{files:?}");
}

/// Calls `visit` with every schema and the way to it.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, below) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        walk(below, &format!("{path}.{name}"), visit);
    }
    for (field, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(below) = schema.get(field).filter(|below| below.is_object()) {
            walk(below, &format!("{path}{mark}"), visit);
        }
    }
}

/// Types of Kubernetes itself, whose bounds are not ours to set.
fn is_foreign(path: &str) -> bool {
    [".affinity", ".tolerations[]", ".conditions[]", ".lastExit.at"]
        .iter()
        .any(|foreign| path.contains(foreign))
}

#[test]
fn every_field_says_what_it_is_and_is_bounded() {
    for definition in crd::definitions() {
        walk(definition.schema(), definition.kind, &mut |path, schema| {
            if is_foreign(path) {
                return;
            }
            let has = |field: &str| schema.get(field).is_some();
            let property = !path.ends_with(']') && !path.ends_with('}');
            if property && path.contains('.') && !path.ends_with(".status") {
                let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
                assert!(description.len() > 12 && description.ends_with('.'), "{path}: {description:?}");
            }
            assert!(!has("oneOf") && !has("anyOf") && !has("allOf") && !has("nullable"), "{path}: {schema}");
            match schema.get("type").and_then(Value::as_str) {
                Some("array") => assert!(has("maxItems"), "{path} has no maxItems"),
                Some("string") => assert!(
                    has("maxLength") || has("enum") || path.ends_with("{}"),
                    "{path} has no maxLength"
                ),
                Some("object") if has("additionalProperties") => {
                    assert!(has("maxProperties"), "{path} has no maxProperties");
                }
                Some("object") => assert!(has("properties") || !path.contains('.'), "{path} is free-form"),
                None => assert!(has("x-kubernetes-int-or-string"), "{path} has no type: {schema}"),
                _ => {}
            }
        });
    }
}

#[test]
fn fields_that_are_optional_say_their_default() {
    let mut silent = Vec::new();
    for definition in crd::definitions() {
        walk(definition.schema(), definition.kind, &mut |path, schema| {
            if is_foreign(path) || path.contains(".status") {
                return;
            }
            let required: Vec<&str> = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let union = schema.get("description").and_then(Value::as_str).is_some_and(|it| {
                let it = it.to_lowercase();
                it.contains("exactly one")
                    || it.contains("exactly the protocols")
                    || it.contains("or everybody who")
                    || it.contains("two ways")
            });
            for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let description = field.get("description").and_then(Value::as_str).unwrap_or_default();
                let says = description.contains("Default")
                    || field.get("default").is_some()
                    || description.contains("instead");
                let known = required.contains(&name.as_str())
                    || union
                    || says
                    || ["metadata", "spec", "status", "apiVersion", "kind"].contains(&name.as_str());
                if !known {
                    silent.push(format!("{path}.{name}: {description}"));
                }
            }
        });
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn every_pattern_compiles_and_has_words() {
    for definition in crd::definitions() {
        walk(definition.schema(), definition.kind, &mut |path, schema| {
            if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
                assert!(regex_lite::Regex::new(pattern).is_ok(), "{path}: {pattern}");
            }
        });
    }
}

#[test]
fn people_find_their_way_with_kubectl() {
    let names: Vec<(&str, Value, Value)> = crd::definitions()
        .iter()
        .map(|it| {
            (
                it.kind,
                it.object["spec"]["names"]["shortNames"].clone(),
                it.object["spec"]["names"]["categories"].clone(),
            )
        })
        .collect();
    for (kind, short, category) in names {
        let wanted = match kind {
            "Feed" => "feed",
            "Stream" => "st",
            "Cluster" => "mrc",
            _ => "room",
        };
        assert_eq!(
            (short, category),
            (serde_json::json!([wanted]), serde_json::json!(["millrace"])),
            "{kind}"
        );
    }
    let version = |kind: &str| {
        &crd::definitions().iter().find(|it| it.kind == kind).unwrap().object["spec"]["versions"][0]
    };
    let columns: Vec<&str> = version("Feed")["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(columns, ["Source", "State", "Ready", "Reason", "Pod", "Age"]);
    assert_eq!(version("Cluster")["subresources"]["scale"]["specReplicasPath"], ".spec.balancers.replicas");
    for definition in crd::definitions() {
        assert!(version(definition.kind)["subresources"]["status"].is_object(), "{}", definition.kind);
    }
}

//! Every CEL rule of the CRDs and its twin in Rust say the same of the same objects: the CEL is run by kube-cel.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests say what is wrong by failing, and their tables are long"
)]

mod cases;

use std::collections::BTreeSet;

use cases::Case;
use kube_cel::Validator;
use millrace_crds::{
    check, crd,
    kinds::{ClusterSpec, FeedSpec, RoomSpec, StreamSpec},
    rules,
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The spec with the defaults that the API server fills in.
fn with_defaults(kind: &str, spec: &Value) -> Value {
    fn through<Spec: Serialize + DeserializeOwned>(spec: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<Spec>(spec.clone()).unwrap()).unwrap()
    }
    match kind {
        "Feed" => through::<FeedSpec>(spec),
        "Stream" => through::<StreamSpec>(spec),
        "Cluster" => through::<ClusterSpec>(spec),
        _ => through::<RoomSpec>(spec),
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "millrace.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// The rules that CEL finds broken.
fn by_cel(kind: &str, name: &str, spec: &Value, old: Option<&Value>) -> BTreeSet<String> {
    let definition = crd::definitions().iter().find(|definition| definition.kind == kind).unwrap();
    let object = object(kind, name, &with_defaults(kind, spec));
    match Validator::new().validate(definition.schema(), &object, old) {
        Ok(()) => BTreeSet::new(),
        Err(errors) => errors.iter().map(|error| error.message.clone()).collect(),
    }
}

/// The rules that we find broken.
fn by_us(kind: &str, name: &str, spec: &Value) -> BTreeSet<String> {
    let messages: Vec<&str> = rules::ALL.iter().map(|rule| rule.message).collect();
    let text = object(kind, name, spec).to_string();
    let errors = check("rules.json", &text).errors;
    errors
        .into_iter()
        .map(|error| error.message)
        .filter(|message| messages.contains(&message.as_str()))
        .collect()
}

fn agree(kind: &str, name: &str, spec: &Value) -> BTreeSet<String> {
    let ours = by_us(kind, name, spec);
    assert_eq!(ours, by_cel(kind, name, spec, None), "{kind}/{name} {spec}");
    ours
}

#[test]
fn cel_and_rust_say_the_same_of_every_case() {
    let mut broken = BTreeSet::new();
    for Case { kind, name, spec, beginning } in cases::all() {
        let messages = agree(kind, &name, &spec);
        let right = match messages.first() {
            None => beginning.is_empty(),
            Some(message) => messages.len() == 1 && !beginning.is_empty() && message.starts_with(beginning),
        };
        assert!(right, "{kind}/{name} {spec}: {messages:?}, wanted {beginning:?}");
        broken.extend(messages);
    }
    let unused: Vec<_> =
        rules::ALL.iter().filter(|rule| rule.holds.is_some() && !broken.contains(rule.message)).collect();
    assert!(unused.is_empty(), "no case breaks {unused:?}");
}

#[test]
fn every_rule_of_the_crds_has_its_twin_and_every_twin_is_in_a_crd() {
    fn texts(schema: &Value, into: &mut BTreeSet<String>) {
        match schema {
            Value::Object(fields) => {
                for rule in
                    fields.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten()
                {
                    into.insert(rule["rule"].as_str().unwrap().to_owned());
                }
                fields.values().for_each(|below| texts(below, into));
            }
            Value::Array(items) => items.iter().for_each(|below| texts(below, into)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for definition in crd::definitions() {
        texts(definition.schema(), &mut found);
    }
    let known: BTreeSet<String> = rules::ALL.iter().map(|rule| rule.cel.to_owned()).collect();
    assert_eq!(found, known);
}

#[test]
fn the_cluster_of_an_object_cannot_be_changed() {
    let on = |cluster: &str| json!({"clusterRef": {"name": cluster}, "source": {"command": ["x"]}});
    let old = object("Feed", "door", &with_defaults("Feed", &on("a")));
    assert!(by_cel("Feed", "door", &on("a"), Some(&old)).is_empty());
    let broken = by_cel("Feed", "door", &on("b"), Some(&old));
    assert!(broken.iter().any(|message| message.starts_with("clusterRef cannot be changed")), "{broken:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cel_and_rust_agree_on_any_mixture_of_fields(present in any::<[bool; 12]>(), name in "[a-z0-9A-Z-]{1,4}", path in "(/[a.]{1,2}|/pic|/whep){1,3}") {
        let mut source = json!({});
        let kinds = [
            ("command", json!(["x"])), ("template", json!({"name": "t"})), ("file", json!({"path": "/a"})),
            ("pull", json!({"url": "rtsp://a"})), ("publish", json!({"path": path})),
        ];
        for ((kind, value), present) in kinds.into_iter().zip(present) {
            if present { source[kind] = value; }
        }
        agree("Feed", &name, &json!({"source": source, "fallback": ["a", "b"]}));

        let mut spec = json!({"path": path});
        let fields = [
            ("feeds", json!(["a"])), ("feeds", json!(["a", "b"])), ("command", json!(["x"])),
            ("template", json!({"name": "t"})), ("each", json!(["p"])), ("eachOf", json!("set")),
        ];
        for ((field, value), present) in fields.into_iter().zip(present.into_iter().skip(5)) {
            if present { spec[field] = value; }
        }
        agree("Stream", &name, &spec);
    }
}

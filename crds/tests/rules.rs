//! Every CEL rule of the CRDs and its twin in Rust say the same of the same objects: the CEL is run by kube-cel.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests say what is wrong by failing, and their tables are long"
)]

use std::collections::BTreeSet;

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

fn stream(fields: &Value) -> Value {
    let mut spec = json!({"path": "/a.ts", "feeds": ["a"]});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

#[test]
fn cel_and_rust_say_the_same_of_every_case() {
    let command = json!(["x"]);
    let source = json!({"command": command});
    let feed = |fields: Value| json!({"source": fields});
    let url = |url: &str| json!({"source": {"pull": {"url": url}}});
    let grant = |grant: Value| json!({"access": {"play": grant}});
    let secret = json!({"secretRef": {"name": "s"}});
    let volume = |volume: Value| json!({"source": {"file": {"path": "/a", "volume": volume}}});
    let good = "";
    let (longest, too_long) = ("a".repeat(40), "a".repeat(41));
    // kind, name, spec, the beginning of the only message
    let cases: Vec<(&str, &str, Value, &str)> = vec![
        ("Feed", "door", feed(source.clone()), good),
        ("Feed", "d", feed(source.clone()), good),
        ("Feed", "a-1", feed(source.clone()), good),
        ("Feed", &longest, feed(source.clone()), good),
        ("Feed", &too_long, feed(source.clone()), "metadata.name must be"),
        ("Feed", "Door", feed(source.clone()), "metadata.name must be"),
        ("Feed", "1door", feed(source.clone()), "metadata.name must be"),
        ("Feed", "door-", feed(source.clone()), "metadata.name must be"),
        ("Feed", "a.b", feed(source.clone()), "metadata.name must be"),
        ("Feed", "door", json!({"source": source, "fallback": ["slate"]}), good),
        (
            "Feed",
            "door",
            json!({"source": source, "fallback": ["slate", "door"]}),
            "spec.fallback must not name",
        ),
        ("Feed", "door", feed(json!({})), "exactly one of command, template, file"),
        (
            "Feed",
            "door",
            feed(json!({"command": command, "file": {"path": "/a"}})),
            "exactly one of command, template",
        ),
        ("Feed", "door", feed(json!({"publish": {"path": "/a"}})), good),
        ("Feed", "door", feed(json!({"publish": {"path": "/a/whip"}})), "a path must not end in pic"),
        ("Feed", "door", feed(json!({"pull": {}})), "exactly one of url and urlFrom"),
        ("Feed", "door", url("rtsp://door.lan/ch1"), good),
        ("Feed", "door", url("rtsp://door.lan/ch1?a=b@c"), good),
        ("Feed", "door", url("rtsp://door.lan/a@b"), good),
        ("Feed", "door", url("rtsp://u:p@door.lan/ch1"), "a URL must not hold user:password@"),
        ("Feed", "door", url("https://u@door.lan"), "a URL must not hold user:password@"),
        (
            "Feed",
            "door",
            json!({"source": {"pull": {"url": "rtsp://a", "urlFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}}}),
            "exactly one of url and urlFrom",
        ),
        ("Feed", "door", json!({"source": source, "env": [{"name": "A"}, {"name": "B", "value": ""}]}), good),
        (
            "Feed",
            "door",
            json!({"source": source, "env": [{"name": "A", "value": "1", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
            "at most one of value and valueFrom",
        ),
        ("Feed", "door", volume(json!({"nfs": {"server": "s", "path": "/p"}})), good),
        ("Feed", "door", volume(json!({})), "exactly one of persistentVolumeClaim"),
        (
            "Feed",
            "door",
            volume(json!({"emptyDir": {}, "hostPath": {"path": "/p"}})),
            "exactly one of persistentVolume",
        ),
        ("Stream", "s", stream(&json!({})), good),
        (
            "Stream",
            "s",
            stream(&json!({"command": command, "template": {"name": "t"}})),
            "at most one of command and template",
        ),
        (
            "Stream",
            "s",
            stream(&json!({"each": ["a"], "eachOf": "b", "path": "/{each}"})),
            "at most one of each and eachOf",
        ),
        ("Stream", "s", stream(&json!({"feeds": ["a", "b"]})), "two or more feeds need a command"),
        ("Stream", "s", stream(&json!({"feeds": ["a", "b"], "command": command})), good),
        ("Stream", "s", stream(&json!({"feeds": ["a", "b"], "template": {"name": "t"}})), good),
        ("Stream", "s", json!({"path": "/a"}), "a Stream needs feeds, a command or a template"),
        ("Stream", "s", json!({"path": "/a", "feeds": []}), "a Stream needs feeds, a command or a template"),
        ("Stream", "s", json!({"path": "/a", "command": command}), good),
        ("Stream", "s", stream(&json!({"gopCache": {}})), "exactly one of bytes and frames"),
        ("Stream", "s", stream(&json!({"gopCache": {"bytes": 0}})), good),
        (
            "Stream",
            "s",
            stream(&json!({"gopCache": {"bytes": "1Mi", "frames": 3}})),
            "exactly one of bytes and frames",
        ),
        ("Stream", "s", stream(&json!({"path": "/a/pic"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/pic"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/a/index.m3u8"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/a/manifest.mpd"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/a/whep"})), "a path must not end in pic"),
        ("Stream", "s", stream(&json!({"path": "/a/epic"})), good),
        ("Stream", "s", stream(&json!({"path": "/pic/a"})), good),
        ("Stream", "s", stream(&json!({"path": "/index-m3u8"})), good),
        ("Stream", "s", stream(&json!({"path": "/a/../b"})), "a path must not hold the parts . and .."),
        ("Stream", "s", stream(&json!({"path": "/."})), "a path must not hold the parts . and .."),
        ("Stream", "s", stream(&json!({"path": "/.../a"})), good),
        (
            "Stream",
            "s",
            stream(&json!({"access": {"play": {"anyone": true, "basic": secret}}})),
            "either anyone: true or",
        ),
        ("Cluster", "c", json!({}), good),
        ("Cluster", "c", grant(json!({"anyone": true})), good),
        ("Cluster", "c", grant(json!({"basic": secret})), good),
        ("Cluster", "c", grant(json!({"basic": secret, "certificate": secret})), good),
        ("Cluster", "c", grant(json!({})), "either anyone: true or"),
        ("Cluster", "c", grant(json!({"anyone": false})), "either anyone: true or"),
        ("Cluster", "c", grant(json!({"anyone": true, "basic": secret})), "either anyone: true or"),
        ("Cluster", "c", json!({"templates": {"t": {"command": command}}}), good),
        ("Cluster", "c", json!({"templates": {"t": {}}}), "exactly one of command and template"),
        (
            "Cluster",
            "c",
            json!({"templates": {"t": {"command": command, "template": {"name": "u"}}}}),
            "exactly one of command and template",
        ),
        ("Cluster", "c", json!({"storage": {"a": {"path": "/a"}, "b": {"s3": {"bucket": "abc"}}}}), good),
        ("Cluster", "c", json!({"storage": {"a": {}}}), "exactly one of s3 and path"),
        (
            "Cluster",
            "c",
            json!({"storage": {"a": {"path": "/a", "s3": {"bucket": "abc"}}}}),
            "exactly one of s3 and path",
        ),
        (
            "Cluster",
            "c",
            json!({"storage": {"b": {"s3": {"bucket": "abc"}, "volume": {"emptyDir": {}}}}}),
            "volume needs path",
        ),
        ("Cluster", "c", json!({"listeners": {"https": {}}}), "listeners.https and listeners.rtmps need tls"),
        ("Cluster", "c", json!({"listeners": {"rtmps": {}}}), "listeners.https and listeners.rtmps need tls"),
        ("Cluster", "c", json!({"listeners": {"https": {}}, "tls": {"secretName": "s"}}), good),
        ("Cluster", "c", json!({"listeners": {"http": {}}}), good),
        (
            "Cluster",
            "c",
            json!({"listeners": {"http": {"port": 8443}, "https": {}}, "tls": {"secretName": "s"}}),
            "http and https need ports of their own",
        ),
        (
            "Cluster",
            "c",
            json!({"statusApi": {"path": "/stat"}}),
            "statusPage.path and statusApi.path must differ",
        ),
        (
            "Cluster",
            "c",
            json!({"balancers": {"autoscale": {"min": 3, "max": 2}}}),
            "min must not be greater than max",
        ),
        (
            "Cluster",
            "c",
            json!({"balancers": {"autoscale": {"min": 11}}}),
            "min must not be greater than max",
        ),
        ("Cluster", "c", json!({"balancers": {"autoscale": {}}}), good),
        (
            "Cluster",
            "c",
            json!({"upstreams": [{"name": "eu", "url": "millrace://u:p@eu:1"}]}),
            "a URL must not hold user",
        ),
        ("Room", "r", json!({}), good),
        ("Room", "R", json!({}), "metadata.name must be"),
        ("Room", "r", json!({"store": {"redis": {"url": "redis://u:p@redis"}}}), "a URL must not hold user"),
    ];
    let mut broken = BTreeSet::new();
    for (kind, name, spec, beginning) in cases {
        let messages = agree(kind, name, &spec);
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

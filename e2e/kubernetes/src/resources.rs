//! Objects for tests.

use millrace_e2e::{PATTERN, STEADY, live, merged};
use serde_json::{Value, json};

/// One of our resources.
pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "millrace.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A Cluster that is reached from outside by a port of each node; `more` are fields of its spec.
pub fn cluster(name: &str, more: &Value) -> Value {
    object("Cluster", name, &merged(json!({"service": {"type": "NodePort"}}), more))
}

/// A Feed that runs `argv`.
pub fn feed(name: &str, argv: &Value) -> Value {
    object("Feed", name, &json!({"source": {"command": argv}}))
}

/// A Stream at `/NAME` of one Feed, passed through.
pub fn stream(name: &str, of: &str) -> Value {
    object("Stream", name, &json!({"path": format!("/{name}"), "feeds": [of]}))
}

/// The object with more fields in its spec.
pub fn with(mut object: Value, more: &Value) -> Value {
    object["spec"] = merged(object["spec"].take(), more);
    object
}

/// ffmpeg's test pattern, small, with a tone, as MPEG-TS with a random access point each second.
pub fn pattern() -> Value {
    live(PATTERN, 10, "-c:a aac -b:a 32k").into()
}

/// 200 kB/s of no container, which cost next to nothing.
pub fn steady() -> Value {
    json!(["sh", "-c", STEADY.replace('{', "{{").replace('}', "}}")])
}

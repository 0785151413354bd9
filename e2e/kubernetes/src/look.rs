//! Looks at objects, given as JSON. What is not there is empty.

use serde_json::Value;

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.uid`.
pub fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// A condition of its status; null where it has none of that type.
pub fn condition(object: &Value, kind: &str) -> Value {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    all.and_then(|all| all.iter().find(|one| one["type"] == kind)).cloned().unwrap_or_default()
}

/// The reason of its condition `Ready`.
pub fn reason(object: &Value) -> String {
    text(&condition(object, "Ready"), "/reason").to_owned()
}

/// The message of its condition `Ready`.
pub fn message(object: &Value) -> String {
    text(&condition(object, "Ready"), "/message").to_owned()
}

/// Whether it is Ready, pods or ours; of ours only if that was said of what the object is now.
pub fn is_ready(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    let of_now = object["kind"] == "Pod" || ready["observedGeneration"] == object["metadata"]["generation"];
    ready["status"] == "True" && of_now && object["metadata"].get("deletionTimestamp").is_none()
}

/// Words of a command line, as JSON.
pub fn words(line: &str) -> Value {
    line.split_whitespace().collect::<Vec<_>>().into()
}

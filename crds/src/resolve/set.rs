//! A set stands for one member per piece: NAME-PIECE, with `{each}` replaced everywhere in its spec.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::placeholder;

/// The name of a set's member.
pub fn member_name(set: &str, piece: &str) -> String {
    format!("{set}-{piece}")
}

/// The spec of a set's member: without `each` and `eachOf`, and with `{each}` replaced by the piece.
///
/// # Errors
/// What the spec became is none any more: the piece does not fit where it was put.
pub fn member_spec<T: Serialize + DeserializeOwned>(spec: &T, piece: &str) -> Result<T, serde_json::Error> {
    let mut value = serde_json::to_value(spec)?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("each");
        fields.remove("eachOf");
    }
    replace(&mut value, piece);
    serde_json::from_value(value)
}

fn replace(value: &mut Value, piece: &str) {
    match value {
        Value::String(text) if text.contains("{each}") => *text = placeholder::fill_each(text, piece),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, piece)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, piece)),
        _ => {}
    }
}

//! Whether an object is as we want it. What others added is theirs; what is ours must be as it was applied.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

use crate::{labels, names};

/// Notes in an object's annotations what it was applied as, so that what we want no more is noticed, too.
pub fn mark<T: Serialize>(mut object: T, metadata: impl Fn(&mut T) -> &mut ObjectMeta) -> T {
    let hash = names::hash_of(&object);
    metadata(&mut object).annotations.get_or_insert_default().insert(labels::APPLIED.to_owned(), hash);
    object
}

/// Whether everything in `wanted` is in `there`.
pub fn holds<T: Serialize>(there: &T, wanted: &T) -> bool {
    match (serde_json::to_value(there), serde_json::to_value(wanted)) {
        (Ok(there), Ok(wanted)) => covers(&there, &wanted),
        _ => false,
    }
}

fn covers(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| value.is_null() || there.get(key).is_some_and(|it| covers(it, value))),
        // Owners are a list that others may add to; of all other lists we have the whole.
        (Value::Array(there), Value::Array(wanted)) => {
            let place = |value: &Value| wanted.iter().position(|it| it == value);
            there.len() >= wanted.len()
                && wanted.iter().all(|value| {
                    let at = place(value).and_then(|at| there.get(at));
                    at.is_some_and(|it| covers(it, value)) || there.iter().any(|it| covers(it, value))
                })
        }
        (there, wanted) => there == wanted,
    }
}

/// Whether the labels, annotations and owners that we want are there.
pub fn metadata_holds(there: &ObjectMeta, wanted: &ObjectMeta) -> bool {
    holds(there, wanted)
}

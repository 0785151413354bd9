//! Which Secrets something names.

use std::collections::BTreeSet;

use serde_json::Value;

/// The names of all Secrets that a spec, or a final form, names.
pub fn named_by(spec: &impl serde::Serialize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    walk(&serde_json::to_value(spec).unwrap_or_default(), &mut names);
    names
}

fn walk(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (field, below) in fields {
                let name = match field.as_str() {
                    "secretRef" | "secretKeyRef" => below.get("name").and_then(Value::as_str),
                    "secretName" | "tlsSecret" => below.as_str(),
                    _ => None,
                };
                names.extend(name.map(str::to_owned));
                walk(below, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, names)),
        _ => {}
    }
}

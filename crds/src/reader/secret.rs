use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::metadata;
use crate::{check::Finding, resolved::FinalSecret, yaml::path::FieldPath};

/// The schema of a core/v1 Secret.
pub(super) fn schema() -> Value {
    let strings = json!({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 256});
    json!({
        "type": "object",
        "required": ["metadata"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": metadata::schema(),
            "type": {"type": "string", "maxLength": 256, "default": "Opaque"},
            "immutable": {"type": "boolean"},
            "data": strings,
            "stringData": strings,
        },
    })
}

/// A Secret of a checked document: `data` decoded, `stringData` over it.
pub(super) fn decode(name: &str, value: &Value) -> Result<FinalSecret, Vec<Finding>> {
    let mut secret = FinalSecret {
        name: name.to_owned(),
        kind: value.get("type").and_then(Value::as_str).unwrap_or("Opaque").to_owned(),
        data: std::collections::BTreeMap::new(),
    };
    let mut findings = Vec::new();
    let entries = |field: &str| value.get(field).and_then(Value::as_object).into_iter().flatten();
    for (key, text) in entries("data").filter_map(|(key, text)| Some((key, text.as_str()?))) {
        let packed: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        match STANDARD.decode(packed) {
            Ok(bytes) => {
                secret.data.insert(key.clone(), bytes);
            }
            Err(error) => findings.push(Finding {
                field: FieldPath::of("data").key(key),
                message: format!("is not base64: {error}"),
                help: Some("put text as it is into stringData".to_owned()),
            }),
        }
    }
    for (key, text) in entries("stringData").filter_map(|(key, text)| Some((key, text.as_str()?))) {
        secret.data.insert(key.clone(), text.as_bytes().to_vec());
    }
    findings.extend(missing(&secret));
    if findings.is_empty() { Ok(secret) } else { Err(findings) }
}

/// What the API server wants of the types it knows.
fn missing(secret: &FinalSecret) -> Option<Finding> {
    let needed: &[&str] = match secret.kind.as_str() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/basic-auth" if secret.data.contains_key("username") => &[],
        "kubernetes.io/basic-auth" => &["password"],
        _ => &[],
    };
    let absent: Vec<&str> = needed.iter().copied().filter(|key| !secret.data.contains_key(*key)).collect();
    (!absent.is_empty()).then(|| Finding {
        field: FieldPath::of("type"),
        message: format!("a Secret of type {} needs {}", secret.kind, absent.join(" and ")),
        help: Some("add it to data (base64) or stringData (as it is)".to_owned()),
    })
}

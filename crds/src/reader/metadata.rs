use serde_json::{Value, json};

/// The schema of `metadata`: what the API server knows there; only the name is asked for.
pub(super) fn schema() -> Value {
    let strings = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let anything = json!({"type": "array"});
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 253,
                "description": "The object's name, unique among its kind."},
            "namespace": {"type": "string", "maxLength": 63},
            "labels": strings, "annotations": strings,
            "generateName": {"type": "string"}, "uid": {"type": "string"}, "resourceVersion": {"type": "string"},
            "generation": {"type": "integer"}, "creationTimestamp": {"type": "string"},
            "deletionTimestamp": {"type": "string"}, "deletionGracePeriodSeconds": {"type": "integer"},
            "selfLink": {"type": "string"},
            "finalizers": anything, "ownerReferences": anything, "managedFields": anything,
        },
    })
}

//! For each bound of a schema, an object that breaks it: made of an object that is right. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// An object that breaks one bound.
pub struct Mutant {
    /// The bound: a field's place in the schema, and its keyword.
    pub bound: String,
    /// The last name of the field that is wrong, as messages hold it.
    pub field: String,
    pub object: Value,
}

/// Whose bounds are Kubernetes' own: a structure of it that is handed on as it is.
const HANDED_ON: [&str; 2] = ["/spec/servers/affinity", "/spec/servers/tolerations"];

const KEYWORDS: [&str; 9] = [
    "maxLength",
    "minLength",
    "pattern",
    "enum",
    "minimum",
    "maximum",
    "maxItems",
    "minItems",
    "maxProperties",
];

/// All bounds of a kind's schema, apart from its status.
pub fn bounds(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(&schema["properties"]["spec"], "/spec", &mut |place, schema| {
        let has = |keyword: &&&str| schema.get(**keyword).is_some();
        found.extend(KEYWORDS.iter().filter(has).map(|keyword| format!("{place} {keyword}")));
        if matches!(schema["x-kubernetes-list-type"].as_str(), Some("set" | "map")) {
            found.insert(format!("{place} unique"));
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            found.insert(format!("{place}/{} required", name.as_str().unwrap()));
        }
        if schema.get("properties").is_some() {
            found.insert(format!("{place} unknown"));
        }
        if schema.get("type").is_some() {
            found.insert(format!("{place} type"));
        }
    });
    found
}

fn walk(schema: &Value, place: &str, see: &mut impl FnMut(&str, &Value)) {
    if HANDED_ON.contains(&place) {
        return;
    }
    see(place, schema);
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        walk(below, &format!("{place}/{name}"), see);
    }
    if let Some(below) = schema.get("items") {
        walk(below, &format!("{place}/[]"), see);
    }
    if let Some(below) = schema.get("additionalProperties").filter(|below| below.is_object()) {
        walk(below, &format!("{place}/{{}}"), see);
    }
}

/// One object for each bound that a right object meets.
pub fn of(object: &Value) -> Vec<Mutant> {
    let kind = object["kind"].as_str().unwrap();
    let definition = millrace_crds::crd::definitions().iter().find(|one| one.kind == kind).unwrap();
    let mut all = Vec::new();
    let spec = &definition.schema()["properties"]["spec"];
    mutate(object, spec, "/spec", "/spec", &mut all);
    all
}

fn mutate(object: &Value, schema: &Value, place: &str, pointer: &str, all: &mut Vec<Mutant>) {
    let Some(value) = object.pointer(pointer).filter(|_| !HANDED_ON.contains(&place)) else { return };
    let field = pointer.split('/').rfind(|part| part.parse::<u32>().is_err()).unwrap_or_default();
    let mut add = |bound: String, field: &str, wrong: Value| {
        let mut object = object.clone();
        *object.pointer_mut(pointer).unwrap() = wrong;
        all.push(Mutant { bound, field: field.to_owned(), object });
    };
    for (keyword, wrong) in wrong_values(schema, value) {
        add(format!("{place} {keyword}"), field, wrong);
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut wrong = value.clone();
        wrong.as_object_mut().unwrap().remove(name);
        add(format!("{place}/{name} required"), name, wrong);
    }
    if schema.get("properties").is_some() {
        let mut wrong = value.clone();
        wrong["nonsense"] = json!(1);
        add(format!("{place} unknown"), "nonsense", wrong);
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        mutate(object, below, &format!("{place}/{name}"), &format!("{pointer}/{name}"), all);
    }
    if let (Some(below), Some(items)) = (schema.get("items"), value.as_array()) {
        for at in 0..items.len() {
            mutate(object, below, &format!("{place}/[]"), &format!("{pointer}/{at}"), all);
        }
    }
    if let (Some(below), Some(fields)) = (schema.get("additionalProperties"), value.as_object()) {
        for name in fields.keys() {
            let name = name.replace('~', "~0").replace('/', "~1");
            mutate(object, below, &format!("{place}/{{}}"), &format!("{pointer}/{name}"), all);
        }
    }
}

fn wrong_values(schema: &Value, value: &Value) -> Vec<(&'static str, Value)> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_i64);
    let size = |keyword: &str| limit(keyword).map(|limit| usize::try_from(limit).unwrap());
    let mut all = Vec::new();
    all.extend(size("maxLength").map(|most| ("maxLength", json!("a".repeat(most + 1)))));
    all.extend(size("minLength").map(|_| ("minLength", json!(""))));
    all.extend(schema.get("pattern").map(|_| ("pattern", json!("\u{1}!")))); // of no pattern of ours
    all.extend(schema.get("enum").map(|_| ("enum", json!("Nonsense"))));
    all.extend(limit("minimum").map(|least| ("minimum", json!(least - 1))));
    all.extend(limit("maximum").map(|most| ("maximum", json!(most + 1))));
    all.extend(size("minItems").map(|_| ("minItems", json!([]))));
    if let (Some(most), Some(first)) = (size("maxItems"), value.get(0)) {
        let others = (0..=most).map(|n| other(schema, first, n)).collect();
        all.push(("maxItems", Value::Array(others)));
    }
    if let (Some(most), Some(first)) =
        (size("maxProperties"), value.as_object().and_then(|o| o.values().next()))
    {
        let others = (0..=most).map(|n| (format!("n{n}"), first.clone())).collect();
        all.push(("maxProperties", Value::Object(others)));
    }
    if let ("set" | "map", Some(first)) =
        (schema["x-kubernetes-list-type"].as_str().unwrap_or(""), value.get(0))
    {
        all.push(("unique", json!([first, first])));
    }
    // A number is a string, too, where a quantity is meant; a list is neither.
    all.extend(
        schema.get("type").map(|kind| ("type", if kind == "array" { json!({"a": 1}) } else { json!([1]) })),
    );
    all
}

/// Something like `first` that is not the same, for lists that want that.
fn other(schema: &Value, first: &Value, n: usize) -> Value {
    let mut other = first.clone();
    if let Some(key) = schema.pointer("/x-kubernetes-list-map-keys/0").and_then(Value::as_str) {
        other[key] = json!(format!("n{n}"));
    } else if first.is_string() && schema.pointer("/items/enum").is_none() {
        other = json!(format!("n{n}"));
    }
    other
}

//! Checks a document by the schema that the API server has: defaults, types, bounds, unknown fields, and the rules
//! between fields. Everything is found at once, each with its field.

mod bounds;
mod words;

use std::collections::HashMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::{
    hint, rules,
    yaml::{
        path::FieldPath,
        tree::{Content, Node},
    },
};

/// Something wrong, or doubtful, with a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) field: FieldPath,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// The most that is said of one document.
const MAX_FINDINGS: usize = 1000;

/// Checks documents; keeps what it compiled for the next one.
#[derive(Default)]
pub(crate) struct Checker {
    patterns: HashMap<String, Option<Regex>>,
    /// How many errors there were that are no broken rules.
    unfit: usize,
    pub(crate) errors: Vec<Finding>,
    pub(crate) warnings: Vec<Finding>,
}

impl Checker {
    /// Checks `value`, which came from `node` (if it stands in the file at all), and fills in its defaults.
    pub(crate) fn check(&mut self, schema: &Value, node: Option<&Node>, value: &mut Value, path: &FieldPath) {
        let before = self.unfit;
        if flag(schema, "x-kubernetes-int-or-string") {
            self.int_or_string(schema, node, value, path);
        } else {
            match schema.get("type").and_then(Value::as_str) {
                Some("object") => self.object(schema, node, value, path),
                Some("array") => self.list(schema, node, value, path),
                Some(kind) => self.scalar(kind, schema, node, value, path),
                None => {}
            }
        }
        // Rules speak of values that fit the schema.
        if self.unfit == before {
            self.rules(schema, value, path);
        }
    }

    fn object(&mut self, schema: &Value, node: Option<&Node>, value: &mut Value, path: &FieldPath) {
        let Value::Object(fields) = value else {
            return self.mismatch("a mapping of fields", node, value, path);
        };
        // The API server treats a null as if the field were not there.
        fields.retain(|_, field| !field.is_null());
        let properties = schema.get("properties").and_then(Value::as_object);
        let additional = schema.get("additionalProperties");
        for (name, property) in properties.into_iter().flatten() {
            if let Some(default) = property.get("default")
                && !fields.contains_key(name)
            {
                fields.insert(name.clone(), default.clone());
            }
        }
        for (name, field) in fields.iter_mut() {
            let below = node.and_then(|node| node.get(name));
            let path = path.key(name);
            match (properties.and_then(|properties| properties.get(name)), additional) {
                (Some(property), _) => self.check(property, below, field, &path),
                (None, Some(schema)) if schema.is_object() => self.check(schema, below, field, &path),
                (None, Some(Value::Bool(true))) => {}
                (None, _) if flag(schema, "x-kubernetes-preserve-unknown-fields") => {}
                (None, _) => self.unknown(name, properties, &path),
            }
        }
        for name in
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if !fields.contains_key(name) {
                let description = properties.and_then(|it| it.get(name)).and_then(|it| it.get("description"));
                let help = description.and_then(Value::as_str).map(first_sentence);
                self.error(path, format!("the field {name} is missing"), help);
            }
        }
        self.count(schema, "minProperties", "maxProperties", fields.len(), "entries", path);
    }

    fn unknown(&mut self, name: &str, properties: Option<&Map<String, Value>>, path: &FieldPath) {
        let known: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        self.error(
            path,
            format!("the field {name} is not known"),
            Some(hint::help(name, known.iter().copied())),
        );
    }

    fn list(&mut self, schema: &Value, node: Option<&Node>, value: &mut Value, path: &FieldPath) {
        let Value::Array(items) = value else { return self.mismatch("a list", node, value, path) };
        let nodes = match node.map(|node| &node.content) {
            Some(Content::List(nodes)) => nodes.as_slice(),
            _ => &[],
        };
        if let Some(schema) = schema.get("items") {
            for (place, item) in items.iter_mut().enumerate() {
                self.check(schema, nodes.get(place), item, &path.index(place));
            }
        }
        self.count(schema, "minItems", "maxItems", items.len(), "elements", path);
        self.unique(schema, items, path);
    }

    /// `listType: set` and `map`: no element, or no key, twice.
    fn unique(&mut self, schema: &Value, items: &[Value], path: &FieldPath) {
        let keys: Vec<&str> = match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => Vec::new(),
            Some("map") => {
                let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
                keys.into_iter().flatten().filter_map(Value::as_str).collect()
            }
            _ => return,
        };
        let identity = |item: &Value| match keys.as_slice() {
            [] => item.to_string(),
            keys => keys.iter().map(|key| item.get(key).map(Value::to_string).unwrap_or_default()).collect(),
        };
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (place, item) in items.iter().enumerate() {
            if let Some(first) = seen.insert(identity(item), place) {
                let message = format!("{} is there twice, first as element {first}", identity(item));
                self.error(&path.index(place), message, Some("each once".to_owned()));
            }
        }
    }

    fn scalar(&mut self, kind: &str, schema: &Value, node: Option<&Node>, value: &Value, path: &FieldPath) {
        let fits = match kind {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            _ => true,
        };
        if !fits {
            let wanted = match kind {
                "string" => "a string",
                "boolean" => "true or false",
                _ => "a whole number",
            };
            return self.mismatch(wanted, node, value, path);
        }
        if let Some((text, what)) = trap(node) {
            let message = format!("{text} without quotes is {what} to kubectl, and not to every YAML reader");
            self.warnings.push(Finding {
                field: path.clone(),
                message,
                help: Some(format!("write {value}")),
            });
        }
        self.bounds(schema, value, path);
    }

    fn int_or_string(&mut self, schema: &Value, node: Option<&Node>, value: &Value, path: &FieldPath) {
        let wanted = words::for_pattern(schema).unwrap_or("a whole number or a string");
        if let Some((text, what)) = trap(node) {
            let message = format!("{text} without quotes is {what} to kubectl ({value})");
            return self.error(path, message, Some(format!("write \"{text}\" or {value}")));
        }
        match value {
            Value::String(_) | Value::Number(_) if !value.is_f64() => self.bounds(schema, value, path),
            _ => self.mismatch(wanted, node, value, path),
        }
    }

    fn mismatch(&mut self, wanted: &str, node: Option<&Node>, value: &Value, path: &FieldPath) {
        let scalar = match node.map(|node| &node.content) {
            Some(Content::Scalar { text, trap, plain: true, .. }) => Some((text, trap)),
            _ => None,
        };
        let (message, help) = match (scalar, value) {
            (_, Value::Null) => (format!("is empty; it must be {wanted}"), None),
            (Some((text, Some(what))), _) if wanted.contains("string") => (
                format!("{text} without quotes is {what} to kubectl; it must be {wanted}"),
                Some(format!("write \"{text}\"")),
            ),
            (Some((text, _)), Value::Bool(_) | Value::Number(_)) if wanted.contains("string") => (
                format!("{text} is {}; it must be {wanted}", kind_of(value)),
                Some(format!("write \"{text}\"")),
            ),
            _ => (format!("{} is {}; it must be {wanted}", shown(value), kind_of(value)), None),
        };
        self.error(path, message, help);
    }

    fn rules(&mut self, schema: &Value, value: &Value, path: &FieldPath) {
        let texts = schema.get("x-kubernetes-validations").and_then(Value::as_array);
        for text in texts.into_iter().flatten().filter_map(|rule| rule.get("rule")).filter_map(Value::as_str)
        {
            let rule = rules::ALL.iter().find(|rule| rule.cel == text);
            if let Some(rule) = rule
                && rule.holds.is_some_and(|holds| !holds(value))
            {
                let steps = rule.blames.split('.').filter(|step| !step.is_empty());
                let field = steps.fold(path.clone(), |path, step| path.key(step));
                self.find(Finding { field, message: rule.message.to_owned(), help: None });
            }
        }
    }

    /// Keeps a finding, unless there are more than anybody reads.
    fn find(&mut self, finding: Finding) {
        if self.errors.len() < MAX_FINDINGS {
            self.errors.push(finding);
        }
    }

    fn error(&mut self, field: &FieldPath, message: String, help: Option<String>) {
        self.unfit += 1;
        self.find(Finding { field: field.clone(), message, help });
    }
}

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// The text of a plain scalar that YAML readers do not agree on, and what kubectl takes it for.
fn trap(node: Option<&Node>) -> Option<(&str, &'static str)> {
    match node.map(|node| &node.content) {
        Some(Content::Scalar { text, trap: Some(what), .. }) => Some((text, what)),
        _ => None,
    }
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A value for people: short.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => "this".to_owned(),
        Value::String(text) if text.chars().count() > 60 => {
            format!("{}…", text.chars().take(60).collect::<String>())
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn first_sentence(text: &str) -> String {
    let text = text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.');
    text.replace('\n', " ")
}

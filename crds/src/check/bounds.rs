use regex_lite::Regex;
use serde_json::Value;

use super::{Checker, shown, words};
use crate::{hint, yaml::path::FieldPath};

impl Checker {
    /// Lengths, ranges, patterns and enumerations of a scalar.
    pub(super) fn bounds(&mut self, schema: &Value, value: &Value, path: &FieldPath) {
        match value {
            Value::String(text) => self.text(schema, text, path),
            Value::Number(_) => self.number(schema, value, path),
            _ => {}
        }
    }

    fn text(&mut self, schema: &Value, text: &str, path: &FieldPath) {
        if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
            let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
            if !choices.contains(&text) {
                let message =
                    format!("{} is none of {}", shown(&text.into()), hint::list(choices.iter().copied()));
                let near = hint::nearest(text, choices).map(|near| format!("did you mean {near}?"));
                return self.error(path, message, near);
            }
        }
        let length = text.chars().count();
        if length == 0 && limit(schema, "minLength") == Some(1) {
            return self.error(path, "is empty".to_owned(), words::for_pattern(schema).map(str::to_owned));
        }
        self.count(schema, "minLength", "maxLength", length, "characters", path);
        let Some(pattern) = schema.get("pattern").and_then(Value::as_str) else { return };
        // Our own patterns all compile; a test says so.
        let compiled = self.patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
        if compiled.as_ref().is_some_and(|compiled| !compiled.is_match(text)) {
            let wanted =
                words::for_pattern(schema).map_or_else(|| format!("of the form {pattern}"), str::to_owned);
            self.error(path, format!("{} is not {wanted}", shown(&text.into())), None);
        }
    }

    fn number(&mut self, schema: &Value, value: &Value, path: &FieldPath) {
        let Some(number) = value.as_f64() else { return };
        let least = schema.get("minimum").and_then(Value::as_f64);
        let most = schema.get("maximum").and_then(Value::as_f64);
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let range = match (least, most) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("at least {least}"),
                (None, most) => format!("at most {}", most.unwrap_or_default()),
            };
            self.error(path, format!("{value} is out of range"), Some(range));
        }
    }

    /// How many of something there may be.
    pub(super) fn count(
        &mut self,
        schema: &Value,
        least: &str,
        most: &str,
        count: usize,
        what: &str,
        path: &FieldPath,
    ) {
        if let Some(most) = limit(schema, most).filter(|most| count > *most) {
            self.error(path, format!("has {count} {what}"), Some(format!("at most {most}")));
        }
        if let Some(least) = limit(schema, least).filter(|least| count < *least) {
            self.error(path, format!("has {count} {what}"), Some(format!("at least {least}")));
        }
    }
}

fn limit(schema: &Value, name: &str) -> Option<usize> {
    schema.get(name).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok())
}

//! YAML that kubectl and we read alike: strings are quoted unless they are plainly words.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::scalar;

/// Writes one document, without `---`.
pub(crate) fn write(out: &mut String, document: &Value) {
    match document {
        Value::Object(fields) if !fields.is_empty() => block(out, document, 0),
        other => {
            scalar(out, other, Place::Block);
            out.push('\n');
        }
    }
}

fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) => {
            for (name, below) in in_order(fields, indent == 0) {
                pad(out, indent);
                field(out, name, below, indent);
            }
        }
        Value::Array(items) => {
            for item in items {
                pad(out, indent);
                out.push_str("- ");
                element(out, item, indent + 2);
            }
        }
        other => scalar(out, other, Place::Block),
    }
}

fn field(out: &mut String, name: &str, value: &Value, indent: usize) {
    text(out, name, Place::Flow);
    out.push(':');
    if is_short(value) {
        out.push(' ');
        scalar(out, value, Place::Block);
        out.push('\n');
    } else {
        out.push('\n');
        block(out, value, indent + 2);
    }
}

/// An element behind its `- `: of a mapping, the first field is on the same line.
fn element(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (place, (name, below)) in in_order(fields, false).enumerate() {
                if place > 0 {
                    pad(out, indent);
                }
                field(out, name, below, indent);
            }
        }
        Value::Array(items) if !is_short(value) => {
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                element(out, item, indent + 2);
            }
        }
        other => {
            scalar(out, other, Place::Block);
            out.push('\n');
        }
    }
}

/// A document begins with what it is, as people write it; a named thing with its name.
fn in_order(fields: &Map<String, Value>, top: bool) -> impl Iterator<Item = (&String, &Value)> {
    let first: &[&str] = if top { &["apiVersion", "kind", "metadata"] } else { &["name"] };
    let begin = first.iter().filter_map(|name| fields.get_key_value(*name));
    begin.chain(fields.iter().filter(|(name, _)| !first.contains(&name.as_str())))
}

/// Scalars, empty things, and lists of scalars stand on one line.
fn is_short(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(|item| !item.is_array() && !item.is_object()),
        Value::Object(fields) => fields.is_empty(),
        _ => true,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// To the end of the line.
    Block,
    /// In a list of one line, or a key.
    Flow,
}

fn scalar(out: &mut String, value: &Value, place: Place) {
    match value {
        Value::String(it) => text(out, it, place),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                scalar(out, item, Place::Flow);
            }
            out.push(']');
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn text(out: &mut String, text: &str, place: Place) {
    let plain = scalar::plain(text);
    if is_wordy(text, place) && plain.trap.is_none() && plain.value == text {
        out.push_str(text);
        return;
    }
    // A JSON string is a double-quoted YAML scalar; YAML wants these as escapes, too.
    for character in Value::from(text).to_string().chars() {
        match character {
            '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
}

/// Whether no reader can take a text for anything else when it stands without quotes.
fn is_wordy(text: &str, place: Place) -> bool {
    // An option (`-f`) is a word, too; a `-` alone is not.
    let option = text.strip_prefix('-').filter(|rest| rest.starts_with(|it: char| it.is_ascii_alphabetic()));
    let word = option.unwrap_or(text);
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'.');
    let inner = |byte: u8| letter(byte) || matches!(byte, b'-' | b'+' | b'@' | b'=');
    let prose = |byte: u8| inner(byte) || matches!(byte, b' ' | b',' | b'(' | b')' | b'`' | b';' | b'\'');
    let first = word.bytes().next().is_some_and(letter);
    match place {
        Place::Flow => first && word.bytes().all(inner),
        Place::Block => first && word.bytes().all(prose) && !text.ends_with(' '),
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::yaml::tree;

    fn round(value: &Value) -> Value {
        let mut out = String::new();
        write(&mut out, value);
        let (documents, problems) = tree::documents(&out);
        assert!(problems.is_empty(), "{problems:?} in {out}");
        documents.first().map(tree::Node::to_value).unwrap_or_default()
    }

    #[test]
    fn words_stand_without_quotes_and_traps_with_them() {
        let mut out = String::new();
        write(
            &mut out,
            &json!({"a": ["-f", "-", "no", "y", "010", "a b", "%{x}", "pipe:0"], "b": [{"c": 1, "name": "x y"}], "d": "it's, so (so)"}),
        );
        assert_eq!(
            out,
            "a: [-f, \"-\", \"no\", \"y\", \"010\", \"a b\", \"%{x}\", \"pipe:0\"]\nb:\n  - name: x y\n    c: 1\nd: it's, so (so)\n"
        );
    }

    proptest! {
        #[test]
        fn every_text_reads_back(texts in proptest::collection::vec("\\PC{0,20}|[-:#\"'`,\\[\\]{}&*!|>%@ .~\t\n\\\\a1]{0,8}", 0..6)) {
            let value = json!({"a": texts, "b": {"c": texts.first(), "d": [{"name": texts.last(), "x": [[texts]]}]}});
            prop_assert_eq!(round(&value), value);
        }
    }
}

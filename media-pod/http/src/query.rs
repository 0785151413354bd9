//! The query of a stream's URL.

use std::borrow::Cow;

use millrace_bus::{Join, Start};

use crate::target::decode;

/// A parameter has a value that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("?{parameter}={value} is not possible: use {allowed}")]
pub struct QueryError {
    parameter: &'static str,
    value: String,
    allowed: &'static str,
}

/// Characters of a wrong value that are shown.
const SHOWN: usize = 40;

/// Reads the query of a stream's URL, which comes without its `?`: what a viewer may ask for.
///
/// - `?header`, `?header=1`, `?header=true`: the container's header first. `?header=0`, `?header=false`: not.
/// - `?keyframe`, `?keyframe=last`: begin at the newest random access point that is cached.
/// - `?keyframe=next`: begin at the next one.
///
/// Other parameters are ignored; where one comes twice, the last counts.
pub fn parse_query(query: &str) -> Result<Join, QueryError> {
    let mut join = Join::default();
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match &*unescape(name) {
            "header" => join.header = header(&unescape(value))?,
            "keyframe" => join.start = start(&unescape(value))?,
            _ => {}
        }
    }
    Ok(join)
}

fn header(value: &str) -> Result<bool, QueryError> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(wrong("header", value, "?header, ?header=1 or ?header=0")),
    }
}

fn start(value: &str) -> Result<Start, QueryError> {
    match value {
        "" | "last" => Ok(Start::Last),
        "next" => Ok(Start::Next),
        _ => Err(wrong("keyframe", value, "?keyframe=last (or ?keyframe alone) or ?keyframe=next")),
    }
}

fn wrong(parameter: &'static str, value: &str, allowed: &'static str) -> QueryError {
    let value = value.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    QueryError { parameter, value, allowed }
}

fn unescape(text: &str) -> Cow<'_, str> {
    if text.contains('%') { Cow::Owned(decode(text)) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(header: bool, start: Start) -> Join {
        Join { header, start }
    }

    #[test]
    fn each_parameter_means_what_is_documented() {
        for (query, expected) in [
            ("", join(false, Start::Live)),
            ("header", join(true, Start::Live)),
            ("header=", join(true, Start::Live)),
            ("header=1", join(true, Start::Live)),
            ("header=true", join(true, Start::Live)),
            ("header=0", join(false, Start::Live)),
            ("keyframe", join(false, Start::Last)),
            ("keyframe=last&header", join(true, Start::Last)),
            ("keyframe=next", join(false, Start::Next)),
            ("keyframe=%6eext", join(false, Start::Next)),
            ("keyframe=next&keyframe=last", join(false, Start::Last)),
            ("cache=12345&&&=x&Header=2", join(false, Start::Live)),
        ] {
            assert_eq!(parse_query(query), Ok(expected), "{query}");
        }
    }

    #[test]
    fn a_wrong_value_is_answered_with_what_is_allowed() {
        let error = parse_query("keyframe=first").unwrap_err().to_string();
        assert_eq!(
            error,
            "?keyframe=first is not possible: use ?keyframe=last (or ?keyframe alone) or ?keyframe=next"
        );
        let error = parse_query(&format!("header=%0d%0a{}", "x".repeat(1000))).unwrap_err().to_string();
        assert!(error.len() < 150 && !error.contains('\r'), "{error}");
    }
}

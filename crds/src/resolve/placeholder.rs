//! Placeholders in commands. One pass: what was filled in is never looked at again.
//!
//! `{name}` is a placeholder, `{{` and `}}` stand for braces, and `%{…}` stays as it is, because ffmpeg's filters
//! have that form themselves.

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'text> {
    /// Stands for itself.
    Text(&'text str),
    /// `{{` or `}}`: one brace.
    Brace(&'static str),
    /// `{name}`.
    Name(&'text str),
}

/// What is wrong with a text that holds placeholders.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// A name that nothing is known for.
    #[error("{{{name}}} is not known here")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A `{` without its `}`.
    #[error("a {{ without its }}")]
    Unclosed,
    /// A `}` without its `{`.
    #[error("a }} without its {{")]
    Unopened,
}

fn pieces(text: &str) -> impl Iterator<Item = Result<Piece<'_>, PlaceholderError>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, tail) = split(rest);
        rest = tail;
        Some(piece)
    })
}

/// The first piece of a text that is not empty, and what comes behind it.
fn split(text: &str) -> (Result<Piece<'_>, PlaceholderError>, &str) {
    if let Some(tail) = text.strip_prefix("{{") {
        return (Ok(Piece::Brace("{")), tail);
    }
    if let Some(tail) = text.strip_prefix("}}") {
        return (Ok(Piece::Brace("}")), tail);
    }
    if let Some(tail) = text.strip_prefix('{') {
        return match tail.split_once('}') {
            Some((name, tail)) => (Ok(Piece::Name(name)), tail),
            None => (Err(PlaceholderError::Unclosed), ""),
        };
    }
    if let Some(tail) = text.strip_prefix('}') {
        return (Err(PlaceholderError::Unopened), tail);
    }
    let end = plain_end(text);
    let (plain, tail) = text.split_at(end);
    (Ok(Piece::Text(plain)), tail)
}

/// Where the text that stands for itself ends; `%{…}` is part of it, and so is a `%{` that is never closed.
fn plain_end(text: &str) -> usize {
    let mut end = 0;
    while let Some(rest) = text.get(end..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("%{") && !rest.starts_with("%{{") {
            end += rest.find('}').map_or(2, |close| close + 1);
            continue;
        }
        match rest.find(['{', '}', '%']) {
            Some(0) if rest.starts_with('%') => end += 1,
            Some(0) => break,
            Some(more) => end += more,
            None => return text.len(),
        }
    }
    end
}

/// Fills a text's placeholders. `value` gives what a name stands for.
pub(crate) fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, PlaceholderError> {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece? {
            Piece::Text(text) => out.push_str(text),
            Piece::Brace(brace) => out.push_str(brace),
            Piece::Name(name) => {
                let unknown = || PlaceholderError::Unknown { name: name.to_owned() };
                out.push_str(&value(name).ok_or_else(unknown)?);
            }
        }
    }
    Ok(out)
}

/// The names of a text's placeholders; what is wrong with it is left out.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| match piece {
        Ok(Piece::Name(name)) => Some(name),
        _ => None,
    })
}

/// Replaces `{each}`, also inside of another placeholder (`{feed:cam-{each}}`), and leaves all else as it is.
pub(crate) fn fill_each(text: &str, piece: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix("{each}") {
            out.push_str(piece);
            rest = tail;
            continue;
        }
        let raw = if rest.starts_with("{{") {
            2
        } else if rest.starts_with("%{") && !rest.starts_with("%{{") {
            rest.find('}').map_or(2, |close| close + 1)
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        let (raw, tail) = rest.split_at(raw.min(rest.len()));
        out.push_str(raw);
        rest = tail;
    }
    out
}

/// The text that [`fill`] makes this one of, whatever names it knows.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let kept = plain_end(rest);
        let (plain, tail) = rest.split_at(kept);
        out.push_str(plain);
        let mut characters = tail.chars();
        if let Some(brace) = characters.next() {
            out.extend([brace, brace]);
        }
        rest = characters.as_str();
    }
    out
}

/// [`escape`] for each argument of a command.
pub(crate) fn escape_all(argv: &[String]) -> Vec<String> {
    argv.iter().map(|argument| escape(argument)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(name: &str) -> Option<String> {
        match name {
            "input" => Some("pipe:0".to_owned()),
            "odd" => Some("{input}%{x}}}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn placeholders_are_filled_in_one_pass() {
        for (text, filled) in [
            ("{input}", "pipe:0"),
            ("a{input}b{input}", "apipe:0bpipe:0"),
            ("{odd}", "{input}%{x}}}"),
            ("{{input}}", "{input}"),
            ("{{{input}}}", "{pipe:0}"),
            ("%{input}", "%{input}"),
            ("%{pts\\:hms} {input}", "%{pts\\:hms} pipe:0"),
            ("100%{{", "100%{"),
            ("%{{input}}", "%{input}"),
            ("100%{", "100%{"),
            ("50% {input}", "50% pipe:0"),
            ("%%{a}{input}", "%%{a}pipe:0"),
            ("", ""),
            ("ü{input}ü", "üpipe:0ü"),
        ] {
            assert_eq!(fill(text, known).as_deref(), Ok(filled), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_an_error() {
        let unknown = |name: &str| PlaceholderError::Unknown { name: name.to_owned() };
        for (text, error) in [
            ("{inptu}", unknown("inptu")),
            ("{}", unknown("")),
            ("{ input }", unknown(" input ")),
            ("{input", PlaceholderError::Unclosed),
            ("input}", PlaceholderError::Unopened),
        ] {
            assert_eq!(fill(text, known), Err(error), "{text}");
        }
    }

    #[test]
    fn each_is_replaced_and_all_else_stays() {
        for (text, filled) in [
            ("{each}", "front"),
            ("/cams/{each}/hd.ts", "/cams/front/hd.ts"),
            ("{feed:cam-{each}}", "{feed:cam-front}"),
            ("{{each}}", "{{each}}"),
            ("%{each}", "%{each}"),
            ("{input}{{", "{input}{{"),
            ("ü{each", "ü{each"),
        ] {
            assert_eq!(fill_each(text, "front"), filled, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_fills_to_itself(text in "[{}%a-cü]{0,12}|\\PC{0,20}") {
            prop_assert_eq!(fill(&escape(&text), |_| None), Ok(text));
        }

        #[test]
        fn no_text_makes_filling_panic(text in "\\PC{0,40}|[{}%each]{0,20}") {
            let _ = fill(&text, known);
            let _ = fill_each(&text, "x");
            let _ = names(&text).count();
        }
    }
}

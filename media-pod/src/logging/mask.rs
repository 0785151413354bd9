//! What is secret is kept out of everything that people are shown: the log, the status page, answers, reports.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt::Write as _,
    io,
    sync::{Arc, LazyLock},
};

use arc_swap::ArcSwap;
use millrace_crds::Resolved;

/// Shorter values are not masked: they would be found everywhere, and keep nothing secret.
const SHORTEST: usize = 4;
/// Of a value that is longer, only this much is looked for, in bytes.
const LONGEST: usize = 4096;
/// Tokens of this media pod; more than this have not been true for long.
const MOST_TOKENS: usize = 16;
/// In place of what is masked.
const MASK: &str = "***";

static SECRETS: LazyLock<ArcSwap<Secrets>> = LazyLock::new(ArcSwap::default);

/// The values of Secrets in every form in which they may be printed.
#[derive(Default)]
struct Secrets {
    /// Of the newest configuration.
    newest: BTreeSet<String>,
    /// This media pod's own.
    tokens: BTreeSet<String>,
    /// Those and the ones of the configuration before, which may still be printed; the longest first, lest a part of one
    /// be masked and the rest stay.
    all: Vec<String>,
}

/// Masks the Secrets of `resolved` from now on, in place of those of the configuration before the last one.
pub fn learn(resolved: &Resolved) {
    let values = resolved.secrets.values().flat_map(|secret| &secret.data);
    // A name proves nothing, and `door` or `admin` is found everywhere.
    let values = values.filter(|(key, _)| *key != "username").map(|(_, value)| value);
    let logins = resolved.secrets.values().filter_map(millrace_crds::FinalSecret::user_and_password);
    let mut newest: BTreeSet<String> = values.flat_map(|value| forms(value)).collect();
    for (user, password) in logins {
        newest.extend(login(user, password));
    }
    learn_all(newest);
}

/// Masks a token from now on.
pub fn learn_token(token: &str) {
    if token.len() < SHORTEST || SECRETS.load().tokens.contains(token) {
        return;
    }
    SECRETS.rcu(|before| {
        let mut tokens = before.tokens.clone();
        if tokens.len() >= MOST_TOKENS {
            tokens.pop_first();
        }
        tokens.insert(token.to_owned());
        Secrets::new(before.newest.clone(), before.newest.clone(), tokens)
    });
}

fn learn_all(mut newest: BTreeSet<String>) {
    newest.retain(|form| form.len() >= SHORTEST);
    SECRETS.rcu(|before| Secrets::new(newest.clone(), before.newest.clone(), before.tokens.clone()));
}

/// `text` without what is secret in it.
pub fn text(text: &str) -> Cow<'_, str> {
    SECRETS.load().mask(text)
}

impl Secrets {
    fn new(newest: BTreeSet<String>, before: BTreeSet<String>, tokens: BTreeSet<String>) -> Arc<Self> {
        let all: BTreeSet<_> = newest.iter().cloned().chain(before).chain(tokens.iter().cloned()).collect();
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Arc::new(Self { newest, tokens, all })
    }

    fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for form in &self.all {
            if masked.contains(form.as_str()) {
                masked = Cow::Owned(masked.replace(form.as_str(), MASK));
            }
        }
        masked
    }
}

/// As what a value may appear: as it is, without blanks around it, line by line, in quotes, in a URL; and the login of a
/// URL by itself.
fn forms(value: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(value);
    let mut forms = Vec::new();
    let trimmed = text.trim();
    for plain in
        std::iter::once(trimmed).chain(trimmed.lines().map(str::trim).filter(|line| secret_line(line)))
    {
        forms.extend(written(plain));
    }
    if let Some((_, rest)) = trimmed.split_once("://")
        && let Some((user_info, _)) =
            rest.split(['/', '?', '#']).next().and_then(|host| host.rsplit_once('@'))
    {
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        forms.extend(login(&decoded(user), &decoded(password)));
        forms.extend(written(user_info));
        forms.extend(written(password));
    }
    forms
}

/// Not `-----BEGIN CERTIFICATE-----` and the like.
fn secret_line(line: &str) -> bool {
    line.len() >= 8 && !line.starts_with("-----")
}

fn login(user: &str, password: &str) -> Vec<String> {
    let mut forms = written(&format!("{user}:{password}"));
    forms.push(format!("{}:{}", encoded(user, true), encoded(password, true)));
    forms.extend(written(password));
    forms
}

/// As it is, in quotes as Rust and as JSON have them, and percent-encoded (RFC 3986, 2.1) by either case.
fn written(text: &str) -> Vec<String> {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    let without_quotes =
        |quoted: &str| quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
    vec![
        text.to_owned(),
        without_quotes(&format!("{text:?}")),
        without_quotes(&serde_json::json!(text).to_string()),
        encoded(text, true),
        encoded(text, false),
    ]
}

fn encoded(text: &str, upper: bool) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(byte.into()),
            // Writing to a String cannot fail.
            byte if upper => drop(write!(out, "%{byte:02X}")),
            byte => drop(write!(out, "%{byte:02x}")),
        }
        out
    })
}

fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let byte = after.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let byte = byte.and_then(|two| u8::from_str_radix(two, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Writes whole lines to `W`, masked.
pub struct Masked<W>(pub W);

impl<W: io::Write> io::Write for Masked<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(text(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(values: &[&str], text: &str) -> String {
        let mut all: Vec<_> = values.iter().flat_map(|value| forms(value.as_bytes())).collect();
        all.retain(|form| form.len() >= SHORTEST);
        all.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Secrets { all, ..Secrets::default() }.mask(text).into_owned()
    }

    #[test]
    fn a_value_is_masked_in_every_form() {
        assert_eq!(masked(&["p@ss w\"rd"], "x p@ss w\"rd y"), "x *** y");
        assert_eq!(masked(&["p@ss w\"rd\n"], r#"{"a":"p@ss w\"rd"}"#), r#"{"a":"***"}"#);
        assert_eq!(masked(&["p@ss/word"], "rtsp://me:p%40ss%2Fword@x p%40ss%2fword"), "rtsp://me:***@x ***");
        assert_eq!(masked(&["abc"], "abc"), "abc", "three bytes");
        assert_eq!(masked(&["abcd", "abcdef"], "abcdef abcd"), "*** ***");
    }

    #[test]
    fn the_login_of_a_url_is_masked_by_itself() {
        let url = "rtsp://me:p%40ss@door.lan:554/ch1";
        for said in ["me:p@ss", "p@ss", "p%40ss", "me:p%40ss", url] {
            assert_eq!(masked(&[url], said), "***", "{said}");
        }
        assert_eq!(masked(&["https://door.lan/a@b"], "a@b door.lan"), "a@b door.lan", "there is none");
    }

    #[test]
    fn a_key_is_masked_line_by_line() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIBVgIBADANBg\nkqhkiG9w0BAQ\n-----END PRIVATE KEY-----\n";
        let said = masked(&[key], "-----BEGIN PRIVATE KEY----- MIIBVgIBADANBg kqhkiG9w0BAQ");
        assert_eq!(said, "-----BEGIN PRIVATE KEY----- *** ***");
    }

    #[test]
    fn any_value_is_taken_without_a_panic() {
        for value in
            [&b""[..], b"%", b"%4", b"://@", b"a://:@", b"\xff\xfe\xfd\xfc", "ü".repeat(5000).as_bytes()]
        {
            let _ = forms(value);
        }
    }
}

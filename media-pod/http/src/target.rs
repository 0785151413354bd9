//! What a request asks for: the path and the query of its target.

use http::Uri;

/// The two parts of a request target that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Percent-decoded; begins with `/`, but for `*` and `CONNECT`'s authority, where it is empty.
    pub path: String,
    /// As it came.
    pub query: Option<String>,
}

impl Target {
    /// Takes origin form and absolute form (RFC 9112, 3.2).
    pub fn new(uri: &Uri) -> Self {
        Self { path: decode(uri.path()), query: uri.query().map(str::to_owned) }
    }
}

/// Percent-decoding (RFC 3986, 2.1). A `%` that two hexadecimal digits do not follow stays; what is then no UTF-8
/// becomes U+FFFD, and so names nothing that exists.
pub fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = match tail {
            [high, low, after @ ..] if first == b'%' => hex(*high).zip(hex(*low)).map(|pair| (pair, after)),
            _ => None,
        };
        if let Some(((high, low), after)) = escaped {
            decoded.push(high << 4 | low);
            rest = after;
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_what_is_none_stays() {
        assert_eq!(decode("/a%20b/%C3%A9.ts"), "/a b/é.ts");
        assert_eq!(decode("/100%/x%2"), "/100%/x%2");
        assert_eq!(decode("/%zz%41"), "/%zzA");
        assert_eq!(decode("/%ff"), "/\u{fffd}");
    }

    #[test]
    fn absolute_form_and_origin_form_name_the_same() {
        let absolute = Target::new(&"http://cam.lan:8080/door.ts?header".parse().unwrap());
        let origin = Target::new(&"/door.ts?header".parse().unwrap());
        assert_eq!(absolute, origin);
        assert_eq!(origin.query.as_deref(), Some("header"));
        assert_eq!(Target::new(&"*".parse().unwrap()).path, "*");
    }
}

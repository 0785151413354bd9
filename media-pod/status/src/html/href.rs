//! Addresses that are safe to click on.

use std::fmt::{self, Write};

const SCHEMES: [&str; 8] = ["http", "https", "rtmp", "rtmps", "rtsp", "rtsps", "srt", "millrace"];

/// A path as configured, percent-encoded; none if it does not begin with exactly one `/`.
pub(super) fn path(path: &str) -> Option<Encoded<'_>> {
    is_local(path).then_some(Encoded { text: path, keep: Keep::Path })
}

/// An address that is percent-encoded already; none if it leads neither to this server nor to a medium.
pub(super) fn address(href: &str) -> Option<Encoded<'_>> {
    (is_local(href) || has_media_scheme(href)).then_some(Encoded { text: href, keep: Keep::Address })
}

/// The `id` of what is called `name`; also what follows `#` in a link to it.
pub(super) fn anchor(name: &str) -> Encoded<'_> {
    Encoded { text: name, keep: Keep::Name }
}

fn is_local(href: &str) -> bool {
    href.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']))
}

fn has_media_scheme(href: &str) -> bool {
    href.split_once("://")
        .is_some_and(|(scheme, _)| SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)))
}

/// Text in which only unreserved characters and those that its kind keeps stand for themselves.
///
/// Every character that means something in HTML is encoded, so it may stand in a quoted attribute as it is.
#[derive(Clone, Copy)]
pub(crate) struct Encoded<'a> {
    text: &'a str,
    keep: Keep,
}

#[derive(Clone, Copy)]
enum Keep {
    Name,
    Path,
    Address,
}

impl<'a> Encoded<'a> {
    /// For [`crate::Link`]: the path of an address that is made, not shown.
    pub(crate) fn of_path(text: &'a str) -> Self {
        Self { text, keep: Keep::Path }
    }
}

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.text.bytes().enumerate() {
            let kept = match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => true,
                b'/' | b':' | b'@' | b'!' | b'$' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {
                    !matches!(self.keep, Keep::Name)
                }
                b'?' | b'#' | b'[' | b']' => matches!(self.keep, Keep::Address),
                b'%' => !matches!(self.keep, Keep::Name) && is_escape(self.text.as_bytes(), at),
                b'&' if matches!(self.keep, Keep::Address) => {
                    f.write_str("&amp;")?;
                    continue;
                }
                _ => false,
            };
            if kept { f.write_char(char::from(byte))? } else { write!(f, "%{byte:02X}")? }
        }
        Ok(())
    }
}

fn is_escape(text: &[u8], at: usize) -> bool {
    text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(encoded: Option<Encoded<'_>>) -> Option<String> {
        encoded.map(|e| e.to_string())
    }

    #[test]
    fn paths_are_encoded_once() {
        assert_eq!(of(path("/cams/front.ts")).as_deref(), Some("/cams/front.ts"));
        assert_eq!(of(path("/a b/ä?#.ts")).as_deref(), Some("/a%20b/%C3%A4%3F%23.ts"));
        assert_eq!(of(path("/100%/a%20b")).as_deref(), Some("/100%25/a%20b"));
        assert_eq!(of(path("/\"><script>")).as_deref(), Some("/%22%3E%3Cscript%3E"));
    }

    #[test]
    fn addresses_keep_their_query() {
        assert_eq!(of(address("/a.ts?keyframe=next&x=1")).as_deref(), Some("/a.ts?keyframe=next&amp;x=1"));
        assert_eq!(of(address("rtsp://[::1]:8554/a")).as_deref(), Some("rtsp://[::1]:8554/a"));
    }

    #[test]
    fn addresses_that_lead_elsewhere_or_run_are_no_links() {
        for bad in [
            "",
            "x",
            "//evil.example/",
            "/\\evil.example",
            "javascript:alert(1)",
            "javascript://%0aalert(1)",
            " /a",
            "data:text/html,x",
            "JaVaScRiPt:x",
            "\u{1}javascript:x",
            "vbscript://x",
            "file:///etc/passwd",
        ] {
            assert_eq!(of(address(bad)), None, "{bad:?}");
            assert_eq!(of(path(bad)), None, "{bad:?}");
        }
        assert_eq!(of(path("/\t/evil.example")).as_deref(), Some("/%09/evil.example"));
    }

    #[test]
    fn anchors_are_the_names_they_are_made_of_where_names_are_as_they_should_be() {
        assert_eq!(anchor("front-door-2").to_string(), "front-door-2");
        assert_eq!(anchor("a b\"%41").to_string(), "a%20b%22%2541");
    }
}

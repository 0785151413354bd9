//! What tells one picture from another. Pure.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderValue;

/// Bytes of the digest that are enough.
const ENOUGH: usize = 12;

/// For `ETag` (RFC 9110, 8.8.3).
pub(super) fn tag(bytes: &[u8]) -> HeaderValue {
    let mut text = String::from("\"");
    for byte in digest(&SHA256, bytes).as_ref().iter().take(ENOUGH) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_have_one_tag_and_others_have_another() {
        assert_eq!(tag(b"abc"), "\"ba7816bf8f01cfea414140de\"");
        assert_ne!(tag(b"abd"), tag(b"abc"));
    }
}

//! What proves to be of a slot, or of a Cluster: derived from one key that only the operator knows.

use std::fmt::Write as _;

use aws_lc_rs::{constant_time, hmac};

/// The token of a slot: HMAC-SHA256 by `key` of `slot/NAMESPACE/SLOT`, in hexadecimal (64 characters).
pub fn slot_token(key: &[u8], namespace: &str, slot: &str) -> String {
    derived(key, &format!("slot/{namespace}/{slot}"))
}

/// What media pods of one Cluster show each other: HMAC-SHA256 by `key` of `cluster/NAMESPACE/CLUSTER`, in
/// hexadecimal (64 characters).
pub fn cluster_token(key: &[u8], namespace: &str, cluster: &str) -> String {
    derived(key, &format!("cluster/{namespace}/{cluster}"))
}

/// Whether two tokens are the same, in a time that does not tell where they differ.
pub fn same(a: &str, b: &str) -> bool {
    constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

fn derived(key: &[u8], of: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), of.as_bytes());
    tag.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_hmac_sha256_in_hexadecimal() {
        // By: printf slot/video/cams-door-12345 | openssl dgst -sha256 -hmac key
        let token = slot_token(b"key", "video", "cams-door-12345");
        assert_eq!(token, "2b0128c94eaa280b8eaf4582de66ab2d429d0e7de2b7124d6d56b6671cb3c6ff");
        let token = cluster_token(b"key", "video", "cams");
        assert_eq!(token, "8e6035297486e091df16709469ff4c16132a5f4553d0e39f208bdefd9a8d2c13");
    }

    #[test]
    fn another_slot_namespace_kind_or_key_has_another_token() {
        let token = slot_token(b"key", "video", "cams");
        for other in [
            slot_token(b"key", "video", "camt"),
            slot_token(b"key", "audio", "cams"),
            slot_token(b"yek", "video", "cams"),
            cluster_token(b"key", "video", "cams"),
        ] {
            assert!(!same(&token, &other));
        }
        assert!(same(&token, &token.clone()) && !same(&token, "") && !same(&token, &token[..63]));
    }
}

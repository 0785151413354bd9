//! What a balancer says of the Clusters that its own pulls from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Upstreams of one Cluster that are told of at most; a Cluster may name 16.
pub const MOST: usize = 64;
/// The longest name of one, in bytes: 40 characters.
pub const LONGEST_NAME: usize = 160;
/// The longest reason, in bytes.
pub const LONGEST_WHY: usize = 240;

/// The link to one upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamLink {
    /// Whether there is one.
    pub up: bool,
    /// Why there is none: a line. Nothing where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl UpstreamLink {
    /// There is a link.
    pub const fn up() -> Self {
        Self { up: true, why: String::new() }
    }

    /// There is none.
    pub fn away(why: &str) -> Self {
        Self { up: false, why: cut(why, LONGEST_WHY - '…'.len_utf8()) }
    }
}

/// The same within bounds, whoever said it: not too many, no name that a Cluster could not have, each reason a line.
pub fn bounded(links: BTreeMap<String, UpstreamLink>) -> BTreeMap<String, UpstreamLink> {
    let named = links.into_iter().filter(|(name, _)| !name.is_empty() && name.len() <= LONGEST_NAME);
    named
        .take(MOST)
        .map(|(name, link)| (name, if link.up { UpstreamLink::up() } else { UpstreamLink::away(&link.why) }))
        .collect()
}

/// A text on one line, and at most about so many bytes of it: an ellipsis says that there was more.
pub fn cut(text: &str, longest: usize) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if out.len() + c.len_utf8() > longest {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Balancing;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Older {
        links: BTreeMap<String, crate::message::LinkState>,
        sessions: u32,
        bits_per_second: u64,
    }

    #[test]
    fn who_does_not_know_of_upstreams_is_understood_and_understands_who_does() {
        let older: Balancing =
            serde_json::from_str(r#"{"links":{},"sessions":3,"bitsPerSecond":4}"#).unwrap();
        assert_eq!((older.sessions, older.upstreams), (3, None));
        let links = BTreeMap::from([
            ("eu".to_owned(), UpstreamLink::up()),
            ("us".to_owned(), UpstreamLink::away("connection refused")),
        ]);
        let newer =
            Balancing { upstreams: Some(links), sessions: 3, bits_per_second: 4, ..Balancing::default() };
        let text = serde_json::to_string(&newer).unwrap();
        let read: Older = serde_json::from_str(&text).unwrap();
        assert_eq!(read, Older { sessions: 3, bits_per_second: 4, ..Older::default() }, "{text}");
        assert_eq!(serde_json::from_str::<Balancing>(&text).unwrap(), newer);
        // A later one may say more of each.
        let later = text.replace(r#""up":true"#, r#""up":true,"since":5"#);
        assert_eq!(serde_json::from_str::<Balancing>(&later).unwrap(), newer);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn whatever_is_said_is_kept_within_bounds_and_within_bounds_stays_as_it_is(
            said in proptest::collection::btree_map("\\PC{0,60}", (any::<bool>(), "\\PC{0,400}|[\\x00-\\x7f]{0,400}"), 0..100)
        ) {
            let said = said.into_iter().map(|(name, (up, why))| (name, UpstreamLink { up, why })).collect();
            let kept = bounded(said);
            prop_assert!(kept.len() <= MOST);
            for (name, link) in &kept {
                prop_assert!(!name.is_empty() && name.len() <= LONGEST_NAME);
                prop_assert!(link.why.len() <= LONGEST_WHY && !link.why.contains(char::is_control));
                prop_assert!(!link.up || link.why.is_empty());
            }
            prop_assert_eq!(&bounded(kept.clone()), &kept);
        }
    }
}

//! What makes two requests ask for the same. Pure.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, ORIGIN, VARY},
};

/// Headers that an answer may depend on and still be shared.
const SHARED: [HeaderName; 4] = [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, ORIGIN];
/// Of what a request says in those headers, this much is looked at.
const LONGEST: usize = 4096;

/// Names what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    path: Arc<str>,
    query: Arc<str>,
    /// The number of what says which headers the answer depends on, and what those of the request say.
    variant: Option<(u64, Arc<[u8]>)>,
}

impl Key {
    /// Of a request for `path` (percent-decoded) with `query` (as it came).
    pub fn new(path: &str, query: Option<&str>) -> Self {
        Self { path: path.into(), query: normal(query.unwrap_or_default()).into(), variant: None }
    }

    /// One of several answers.
    pub fn variant(&self, number: u64, values: &[u8]) -> Self {
        Self { path: self.path.clone(), query: self.query.clone(), variant: Some((number, values.into())) }
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.path.len() + self.query.len() + self.variant.as_ref().map_or(0, |(_, values)| values.len())
    }
}

/// Empty parameters are left out, the others sorted by name: those of one name stay as they came. Nothing is decoded,
/// since not everybody who is asked does that alike.
fn normal(query: &str) -> String {
    let mut parameters: Vec<&str> = query.split('&').filter(|parameter| !parameter.is_empty()).collect();
    parameters.sort_by_key(|parameter| parameter.split('=').next());
    parameters.join("&")
}

/// The headers of the request that an answer depends on; none where it cannot be shared for that.
pub(super) fn vary(answer: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for value in answer.get_all(VARY) {
        for name in value.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let name = SHARED.iter().find(|shared| name.eq_ignore_ascii_case(shared.as_str()))?;
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    Some(names)
}

/// What a request says in the headers `names`, spaces and case aside; none where that is too much.
pub(super) fn values(names: &[HeaderName], asked: &HeaderMap) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for name in names {
        for value in asked.get_all(name) {
            let kept = value.as_bytes().iter().filter(|byte| !matches!(byte, b' ' | b'\t'));
            all.extend(kept.map(u8::to_ascii_lowercase));
            all.push(b',');
        }
        // No value has one.
        all.push(b'\n');
        if all.len() > LONGEST {
            return None;
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_in_another_order_ask_for_the_same_but_those_of_one_name_do_not() {
        let key = |query| Key::new("/a", Some(query));
        assert_eq!(key("b=1&a=2"), key("a=2&b=1"));
        assert_eq!(key("&a&&b&"), key("b&a"));
        assert_eq!(key(""), Key::new("/a", None));
        assert_ne!(key("a=1&a=2"), key("a=2&a=1"));
        assert_ne!(key("%61=1"), key("a=1"));
        assert_ne!(Key::new("/a", Some("b")), Key::new("/ab", None));
        assert_ne!(key("a").variant(1, b"x"), key("a").variant(2, b"x"));
    }

    #[test]
    fn an_answer_that_depends_on_anything_else_is_not_shared() {
        let vary_of = |values: &[&str]| {
            let all = values.iter().map(|value| (VARY, value.parse().unwrap()));
            vary(&all.collect::<HeaderMap>())
        };
        assert_eq!(vary_of(&[]), Some(vec![]));
        assert_eq!(
            vary_of(&["origin, ACCEPT", "accept,"]),
            Some(vec![ACCEPT, ORIGIN]),
            "each once, in one order"
        );
        for other in ["*", "accept, cookie", "authorization", "user-agent"] {
            assert_eq!(vary_of(&[other]), None, "{other}");
        }
    }

    #[test]
    fn spaces_and_case_of_what_is_accepted_do_not_matter() {
        let asked = |values: &[&str]| {
            let all = values.iter().map(|value| (ACCEPT, value.parse().unwrap()));
            values_of(&all.collect())
        };
        assert_eq!(asked(&["image/PNG, */*;q=0.5"]), asked(&["image/png,*/*; q=0.5"]));
        assert_eq!(asked(&["a", "b"]), asked(&["a,b"]));
        assert_ne!(asked(&["a"]), asked(&["b"]));
        assert_ne!(asked(&[]), asked(&["a"]));
        assert_eq!(asked(&[&"x".repeat(5000)]), None);
    }

    fn values_of(asked: &HeaderMap) -> Option<Vec<u8>> {
        values(&[ACCEPT, ORIGIN], asked)
    }

    proptest! {
        #[test]
        fn sorting_twice_is_sorting_once(query in "[a-c=&%]{0,20}") {
            let once = normal(&query);
            prop_assert_eq!(normal(&once), once);
        }

        #[test]
        fn no_bytes_of_a_header_make_it_panic(value in proptest::collection::vec(32_u8..=255, 0..100)) {
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                let _ = vary(&[(VARY, value.clone())].into_iter().collect());
                let _ = values_of(&[(ACCEPT, value)].into_iter().collect());
            }
        }
    }
}

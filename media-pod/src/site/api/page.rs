//! Which part of a long list is wanted. Pure.

/// Entries of a page, if nothing is said, and at most.
pub(super) const USUAL: usize = 1000;
pub(super) const MOST: usize = 10_000;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    limit: usize,
    after: Option<String>,
}

/// What cannot be wanted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("?limit={0} is not possible: a number from 1 to {MOST} would be right")]
pub(super) struct Wrong(String);

impl Page {
    /// Reads `limit` and `after`; other parameters are ignored.
    pub fn of(query: &str) -> Result<Self, Wrong> {
        let mut page = Self { limit: USUAL, after: None };
        for parameter in query.split('&') {
            match parameter.split_once('=') {
                Some(("limit", value)) => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                    page.limit = limit.ok_or_else(|| Wrong(value.chars().take(20).collect()))?;
                }
                Some(("after", value)) => page.after = Some(millrace_http::decode(value)),
                _ => {}
            }
        }
        Ok(page)
    }

    /// The part of `all` that is wanted, which is put in the order of its keys: how many there are, what is asked for next, and it.
    pub fn part<T>(&self, mut all: Vec<T>, key: impl Fn(&T) -> &str) -> (usize, Option<String>, Vec<T>) {
        let total = all.len();
        all.sort_by(|a, b| order(key(a), key(b)));
        if let Some(after) = &self.after {
            all.retain(|one| order(key(one), after).is_gt());
        }
        let more = all.len() > self.limit;
        all.truncate(self.limit);
        let next = all.last().filter(|_| more).map(|last| key(last).to_owned());
        (total, next, all)
    }
}

/// Shorter numbers come first.
fn order(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |text: &str| {
        let (word, number) = text.rsplit_once('-').unwrap_or((text, ""));
        number.parse::<u64>().map_or((text.to_owned(), 0), |number| (word.to_owned(), number))
    };
    parts(a).cmp(&parts(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let all: Vec<String> = (1..=25).map(|n| format!("http-{n}")).collect();
        let (mut query, mut seen) = ("limit=10".to_owned(), Vec::new());
        loop {
            let (total, next, part) = Page::of(&query).unwrap().part(all.clone(), String::as_str);
            assert_eq!(total, 25);
            seen.extend(part);
            let Some(next) = next else { break };
            query = format!("limit=10&after={next}");
        }
        assert_eq!(seen, all);
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic_and_no_page_is_longer_than_it_may_be(
            query in ".{0,60}", limit in 0_usize..20_000, after in ".{0,20}",
        ) {
            let _ = Page::of(&query);
            let all: Vec<String> = (0..50).map(|n| format!("x-{n}")).collect();
            if let Ok(page) = Page::of(&format!("limit={limit}&after={after}")) {
                prop_assert!(page.part(all, String::as_str).2.len() <= limit);
            }
        }
    }

    #[test]
    fn what_is_no_number_is_said() {
        for wrong in ["limit=0", "limit=x", "limit=10001", "limit="] {
            assert!(Page::of(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Page::of("after=%2Fa&x"), Ok(Page { limit: USUAL, after: Some("/a".to_owned()) }));
    }
}

//! Fallbacks that go round.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use millrace_crds::{kinds::FeedSpec, resolve::rings_from};

use super::forms::One;

/// For each ring of fallbacks one Feed that breaks it when its fallbacks are left out, with the ring: the one that was
/// made last, for the others were well without it.
pub fn rings(feeds: &BTreeMap<String, One<FeedSpec>>) -> Vec<(String, Vec<String>)> {
    let mut cut: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in feeds.keys() {
        while let Some(ring) = ring_from(feeds, start, &cut, &mut done) {
            let age =
                |name: &&str| (feeds.get(*name).and_then(|one| one.created.clone()), (*name).to_owned());
            let Some(last) = ring.iter().copied().max_by_key(age) else { break };
            cut.insert(last);
            found.push((last.to_owned(), ring.iter().map(|name| (*name).to_owned()).collect()));
        }
    }
    found
}

/// The first ring that is met on the way from a Feed.
fn ring_from<'a>(
    feeds: &'a BTreeMap<String, One<FeedSpec>>,
    start: &'a str,
    cut: &BTreeSet<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    let fallback = |name: &str, place: usize| {
        let from = feeds.get(name).filter(|_| !cut.contains(name))?;
        from.spec.fallback.get(place).map(String::as_str)
    };
    rings_from(start, fallback, done, ControlFlow::Break).break_value()
}

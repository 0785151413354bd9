//! Fallbacks that go round.

use std::collections::{BTreeMap, BTreeSet};

use millrace_crds::kinds::FeedSpec;

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
    // Depth first with its own stack, for chains may be long.
    let mut chain: Vec<(&str, usize)> = vec![(start, 0)];
    let mut open: BTreeSet<&str> = BTreeSet::from([start]);
    while let Some((name, next)) = chain.last_mut() {
        let below = feeds.get(*name).filter(|_| !cut.contains(*name));
        let below = below.and_then(|one| one.spec.fallback.get(*next)).map(String::as_str);
        *next += 1;
        match below {
            None => {
                done.insert(name);
                open.remove(name);
                chain.pop();
            }
            Some(below) if done.contains(below) => {}
            Some(below) if open.insert(below) => chain.push((below, 0)),
            Some(below) => {
                return Some(chain.iter().map(|(name, _)| *name).skip_while(|name| *name != below).collect());
            }
        }
    }
    None
}

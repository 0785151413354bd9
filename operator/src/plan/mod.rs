//! Which slot runs what. Pure, and sticky: nothing moves because something else was added, edited or deleted.

#[cfg(test)]
mod histories;

use std::collections::{BTreeMap, BTreeSet};

use crate::{grouping::Group, kept::Placement, names, resolve::Settled};

/// Places groups into slots of at most `limit` Feeds; a group that is larger has a slot to itself, as has a Stream
/// without Feeds. `before` is who was where. Slots that nobody is in any more are not in the answer.
pub fn place(
    groups: &[Group],
    settled: &Settled,
    before: &BTreeMap<String, Placement>,
    limit: usize,
    cluster: &str,
) -> BTreeMap<String, Placement> {
    let mut claims: Vec<Claim<'_>> = groups.iter().map(|group| Claim::of(group, settled, before)).collect();
    // Who is at home as a whole comes first, so that others never push it out; of those the founder's group, which gave
    // the slot its name.
    claims.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut slots: BTreeMap<String, Filling> = BTreeMap::new();
    let mut homeless = Vec::new();
    for claim in claims {
        let home =
            claim.homes.iter().find(|home| slots.get(home.name).is_none_or(|slot| slot.takes(&claim, limit)));
        match home.map(|home| home.name.to_owned()) {
            Some(name) => slots.entry(name).or_default().add(&claim),
            None => homeless.push(claim),
        }
    }
    let mut taken: BTreeSet<String> = before.keys().cloned().collect();
    // Slots that may have room, in the order of their names; full ones are not looked at again.
    for claim in homeless {
        let with_room = slots.iter_mut().find(|(_, slot)| slot.takes(&claim, limit));
        if let Some((_, slot)) = with_room {
            slot.add(&claim);
            continue;
        }
        let (founder, uid) = claim.founder();
        // A slot that it founded before may still be there, with others in it.
        let mut name = names::slot(cluster, founder, uid);
        let mut again = 0_u32;
        while taken.contains(&name) {
            again += 1;
            name = names::slot(cluster, founder, &format!("{uid}/{again}"));
        }
        taken.insert(name.clone());
        slots.entry(name).or_default().add(&claim);
    }
    slots.into_iter().map(|(name, slot)| (name, slot.placement)).collect()
}

/// A group that wants a slot.
struct Claim<'a> {
    feeds: Vec<(&'a str, &'a str)>,
    streams: Vec<(&'a str, &'a str)>,
    /// Slots that some of it is in, those with the most of it first.
    homes: Vec<Home<'a>>,
}

struct Home<'a> {
    name: &'a str,
    /// How many of its Feeds are there; of a Stream without Feeds, whether it is.
    members: usize,
    founder: bool,
}

impl<'a> Claim<'a> {
    fn of(group: &'a Group, settled: &'a Settled, before: &'a BTreeMap<String, Placement>) -> Self {
        let known =
            |names: &'a BTreeSet<String>, uids: &'a BTreeMap<String, String>| -> Vec<(&'a str, &'a str)> {
                names.iter().map(|name| (name.as_str(), uids.get(name).map_or("", String::as_str))).collect()
            };
        let feeds = known(&group.feeds, &settled.feeds);
        let streams = known(&group.streams, &settled.streams);
        let mut homes: Vec<Home<'a>> = Vec::new();
        for (name, placement) in before {
            let there = |all: &[(&str, &str)], placed: &BTreeMap<String, String>| {
                all.iter().filter(|(name, uid)| placed.get(*name).is_some_and(|it| it == uid)).count()
            };
            let members = match feeds.is_empty() {
                false => there(&feeds, &placement.feeds),
                // A Stream of its own stays only where it is alone.
                true if placement.feeds.is_empty() && placement.streams.len() == 1 => {
                    there(&streams, &placement.streams)
                }
                true => 0,
            };
            if members > 0 {
                let founder = feeds.iter().any(|(_, uid)| name.ends_with(&names::short(&[uid])));
                homes.push(Home { name, members, founder });
            }
        }
        homes.sort_by(|a, b| b.members.cmp(&a.members).then_with(|| a.name.cmp(b.name)));
        Self { feeds, streams, homes }
    }

    fn order(&self) -> (bool, bool, &str) {
        let home = self.homes.first();
        let size = if self.feeds.is_empty() { self.streams.len() } else { self.feeds.len() };
        let settled = home.is_some_and(|home| home.members == size);
        (!settled, !home.is_some_and(|home| home.founder), self.founder().0)
    }

    fn founder(&self) -> (&'a str, &'a str) {
        self.feeds.first().or(self.streams.first()).copied().unwrap_or_default()
    }
}

#[derive(Default)]
struct Filling {
    placement: Placement,
}

impl Filling {
    fn takes(&self, claim: &Claim<'_>, limit: usize) -> bool {
        let alone = claim.feeds.is_empty() || (self.placement.feeds.is_empty() && !self.placement.is_empty());
        self.placement.is_empty() || (!alone && self.placement.feeds.len() + claim.feeds.len() <= limit)
    }

    fn add(&mut self, claim: &Claim<'_>) {
        let owned = |(name, uid): &(&str, &str)| ((*name).to_owned(), (*uid).to_owned());
        self.placement.feeds.extend(claim.feeds.iter().map(owned));
        self.placement.streams.extend(claim.streams.iter().map(owned));
    }
}

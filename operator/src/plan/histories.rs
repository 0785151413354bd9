//! Random histories of edits: who did not change does not move.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::place;
use crate::{grouping::Group, kept::Placement, resolve::Settled};

#[derive(Clone, Debug)]
enum Edit {
    Add(u8),
    Delete(u8),
    Recreate(u8),
    /// A Stream of its own, or one that muxes two Feeds.
    Mux(u8, u8),
    Unmux(u8, u8),
    Own(u8),
    Packing(u8),
}

fn edit() -> impl Strategy<Value = Edit> {
    let feed = 0..8_u8;
    prop_oneof![
        4 => feed.clone().prop_map(Edit::Add),
        2 => feed.clone().prop_map(Edit::Delete),
        1 => feed.clone().prop_map(Edit::Recreate),
        2 => (feed.clone(), feed.clone()).prop_map(|(a, b)| Edit::Mux(a, b)),
        2 => (feed.clone(), feed.clone()).prop_map(|(a, b)| Edit::Unmux(a, b)),
        1 => feed.prop_map(Edit::Own),
        1 => (1..5_u8).prop_map(Edit::Packing),
    ]
}

#[derive(Default)]
struct World {
    feeds: BTreeMap<String, String>,
    own: BTreeMap<String, String>,
    muxes: BTreeSet<(u8, u8)>,
    packing: usize,
    next: u32,
}

impl World {
    fn uid(&mut self) -> String {
        self.next += 1;
        format!("uid-{}", self.next)
    }

    fn change(&mut self, edit: &Edit) {
        let name = |feed: u8| format!("f{feed}");
        match *edit {
            Edit::Add(feed) => {
                let uid = self.uid();
                self.feeds.entry(name(feed)).or_insert(uid);
            }
            Edit::Delete(feed) => drop(self.feeds.remove(&name(feed))),
            Edit::Recreate(feed) => {
                let uid = self.uid();
                self.feeds.entry(name(feed)).and_modify(|it| *it = uid);
            }
            Edit::Mux(a, b) => drop(self.muxes.insert((a.min(b), a.max(b)))),
            Edit::Unmux(a, b) => drop(self.muxes.remove(&(a.min(b), a.max(b)))),
            Edit::Own(it) => {
                let (name, uid) = (format!("s{it}"), self.uid());
                if self.own.remove(&name).is_none() {
                    self.own.insert(name, uid);
                }
            }
            Edit::Packing(limit) => self.packing = usize::from(limit),
        }
    }

    /// Groups, as muxes join Feeds.
    fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<BTreeSet<String>> =
            self.feeds.keys().map(|name| BTreeSet::from([name.clone()])).collect();
        for (a, b) in &self.muxes {
            let (a, b) = (format!("f{a}"), format!("f{b}"));
            if a == b || !self.feeds.contains_key(&a) || !self.feeds.contains_key(&b) {
                continue;
            }
            let (joined, rest): (Vec<_>, Vec<_>) =
                groups.into_iter().partition(|group| group.contains(&a) || group.contains(&b));
            groups = rest;
            groups.push(joined.into_iter().flatten().collect());
        }
        groups.sort();
        let feeds = groups.into_iter().map(|feeds| Group { feeds, ..Group::default() });
        let own = self.own.keys().map(|name| Group { streams: [name.clone()].into(), ..Group::default() });
        feeds.chain(own).collect()
    }

    fn settled(&self) -> Settled {
        Settled { feeds: self.feeds.clone(), streams: self.own.clone(), ..Settled::default() }
    }
}

type Homes = BTreeMap<(String, String), String>;

fn homes(placed: &BTreeMap<String, Placement>) -> Homes {
    let mut homes = Homes::new();
    for (slot, placement) in placed {
        for (name, uid) in placement.feeds.iter().chain(&placement.streams) {
            assert!(
                homes.insert((name.clone(), uid.clone()), slot.clone()).is_none(),
                "{name} is in two slots"
            );
        }
    }
    homes
}

fn check(history: &[Edit]) {
    let mut world = World { packing: 1, ..World::default() };
    let mut placed: BTreeMap<String, Placement> = BTreeMap::new();
    for (step, edit) in history.iter().enumerate() {
        let (groups_before, uids_before, packing) = (world.groups(), world.feeds.clone(), world.packing);
        world.change(edit);
        let groups = world.groups();
        let before = homes(&placed);
        placed = place(&groups, &world.settled(), &placed, world.packing, "c");
        let after = homes(&placed);
        assert_eq!(after.len(), world.feeds.len() + world.own.len(), "all are somewhere");
        for placement in placed.values() {
            let largest = groups
                .iter()
                .any(|group| group.feeds.iter().eq(placement.feeds.keys()) && !group.feeds.is_empty());
            assert!(placement.feeds.len() <= world.packing || largest, "{placement:?} is too full");
            assert!(placement.streams.is_empty() || placement.feeds.is_empty());
        }
        for group in groups.iter().filter(|group| !group.feeds.is_empty()) {
            let slots: BTreeSet<_> =
                group.feeds.iter().map(|name| &after[&(name.clone(), world.feeds[name].clone())]).collect();
            assert_eq!(slots.len(), 1, "{group:?} is torn");
        }
        // Fewer Feeds a pod is the one edit that moves others: that is what it asks for.
        if world.packing < packing {
            continue;
        }
        for group in &groups {
            let same = groups_before.contains(group)
                && group.feeds.iter().all(|name| uids_before.get(name) == world.feeds.get(name));
            for name in group.feeds.iter().filter(|_| same) {
                let key = (name.clone(), world.feeds[name].clone());
                assert_eq!(before.get(&key), after.get(&key), "{name} moved at step {step}: {edit:?}");
            }
        }
        for (name, uid) in &world.own {
            let key = (name.clone(), uid.clone());
            assert!(before.get(&key).is_none_or(|slot| after.get(&key) == Some(slot)), "{name} moved");
        }
    }
}

#[test]
fn in_ten_thousand_histories_nothing_moves_because_another_changed() {
    let mut runner =
        TestRunner::new(Config { cases: 10_000, failure_persistence: None, ..Config::default() });
    runner
        .run(&proptest::collection::vec(edit(), 1..24), |history| {
            check(&history);
            Ok(())
        })
        .unwrap_or_else(|wrong| panic!("{wrong}"));
}

//! Random edits, one after another: whatever an edit does not name goes on as if nothing had been edited.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use std::collections::BTreeMap;

use millrace_e2e::{Mark, Pod, Watcher, eventually, resource, stream};
use proptest::prelude::*;
use serde_json::{Value, json};

const FEEDS: usize = 2;
const STREAMS: usize = 4;

/// One stream of the model.
#[derive(Clone, Debug, PartialEq)]
struct Shape {
    feed: usize,
    /// Passed through, or through this variant of a command.
    command: Option<u8>,
    path: u8,
    /// What needs no other process.
    gop_cache: u8,
}

#[derive(Clone, Debug)]
enum Edit {
    Feed(usize, u8),
    Remove(usize),
    Put(usize, Shape),
}

#[derive(Clone, Debug, PartialEq)]
struct Model {
    feeds: [u8; FEEDS],
    streams: BTreeMap<usize, Shape>,
}

impl Model {
    fn yaml(&self, mark: &Mark) -> String {
        let feed = |(index, variant): (usize, &u8)| {
            let script = format!(
                ": {variant}; head -c 70000 /dev/zero; while :; do head -c 20000 /dev/zero; sleep 0.1; done"
            );
            let command = mark.shell(&script);
            resource(
                "Feed",
                &format!("f{index}"),
                &json!({"source": {"command": command}, "activation": "Continuous"}),
            )
        };
        let one = |(index, shape): (&usize, &Shape)| {
            let mut spec = json!({
                "path": path(*index, shape), "feeds": [format!("f{}", shape.feed)],
                "gopCache": {"frames": 10 + u32::from(shape.gop_cache)},
            });
            if let (Some(variant), Some(fields)) = (shape.command, spec.as_object_mut()) {
                fields.insert("command".into(), json!(mark.shell(&format!(": {variant}; cat; :"))));
            }
            stream(&format!("s{index}"), &spec)
        };
        self.feeds.iter().enumerate().map(feed).chain(self.streams.iter().map(one)).collect()
    }

    fn edited(&self, edit: &Edit) -> Self {
        let mut next = self.clone();
        match edit {
            Edit::Feed(index, variant) => next.feeds[*index] = *variant,
            Edit::Remove(index) => drop(next.streams.remove(index)),
            Edit::Put(index, shape) => drop(next.streams.insert(*index, shape.clone())),
        }
        next
    }
}

fn path(index: usize, shape: &Shape) -> String {
    format!("/s{index}/{}", shape.path)
}

/// Whether who watches `old` can go on with `new`: the same place, and of the same making.
fn keeps_viewers(old: &Shape, new: &Shape) -> bool {
    let same_making = match (old.command, new.command) {
        (Some(_), Some(_)) => true,
        (None, None) => old.feed == new.feed,
        _ => false,
    };
    old.path == new.path && same_making
}

fn same_process(old: &Shape, new: &Shape) -> bool {
    (old.feed, old.command) == (new.feed, new.command)
}

/// A running media pod with a viewer on every stream.
struct World {
    pod: Pod,
    mark: Mark,
    model: Model,
    viewers: BTreeMap<usize, Watcher>,
    taken: usize,
}

impl World {
    fn new(model: Model) -> Self {
        let mark = Mark::default();
        let pod = Pod::start(&model.yaml(&mark));
        let mut world = Self { pod, mark, model, viewers: BTreeMap::new(), taken: 0 };
        world.watch();
        world
    }

    fn watch(&mut self) {
        for (index, shape) in &self.model.streams {
            self.viewers.entry(*index).or_insert_with(|| Watcher::new(self.pod.viewer(&path(*index, shape))));
        }
        self.viewers.values().for_each(|viewer| viewer.flows(10_000));
        eventually("all runs", || {
            let stat = self.pod.stat();
            let runs = |entry: &Value| entry["state"] == "Running";
            let all = |list: &str| stat[list].as_array().is_some_and(|all| all.iter().all(runs));
            (all("feeds") && all("streams")).then_some(())
        });
    }

    /// Process and restarts of all feeds and streams, by name.
    fn traces(&self) -> BTreeMap<String, (Value, Value)> {
        let stat = self.pod.stat();
        let of = |list: &str| stat[list].as_array().cloned().unwrap_or_default();
        let trace = |entry: Value| {
            (
                entry["name"].as_str().unwrap_or_default().to_owned(),
                (entry["pid"].clone(), entry["restarts"].clone()),
            )
        };
        of("feeds").into_iter().chain(of("streams")).map(trace).collect()
    }

    fn edit(&mut self, edit: &Edit) {
        let next = self.model.edited(edit);
        if next == self.model {
            return;
        }
        let before = self.traces();
        self.pod.edit(&next.yaml(&self.mark));
        self.taken += 1;
        eventually("the edit is taken", || {
            let taken = self.pod.log().iter().filter(|line| line.contains("configuration taken")).count();
            (taken >= self.taken).then_some(())
        });
        let old = std::mem::replace(&mut self.model, next);
        for (index, was) in &old.streams {
            let kept = self.model.streams.get(index).is_some_and(|is| keeps_viewers(was, is));
            if !kept {
                self.viewers[index].end();
                self.viewers.remove(index);
            }
        }
        // Each viewer that is still here is still connected, and gets more: `flows` fails where it ends.
        self.watch();
        let after = self.traces();
        for (index, variant) in self.model.feeds.iter().enumerate() {
            let name = format!("f{index}");
            let same = old.feeds[index] == *variant;
            assert_eq!(before[&name].0 == after[&name].0, same, "the process of {name} after {edit:?}");
            assert_eq!(before[&name].1, after[&name].1, "the restarts of {name} after {edit:?}");
        }
        for (index, is) in &self.model.streams {
            let Some(was) = old.streams.get(index) else { continue };
            if same_process(was, is) && keeps_viewers(was, is) {
                let name = format!("s{index}");
                assert_eq!(before[&name], after[&name], "{name} after {edit:?}");
            }
        }
        let commands = self.model.streams.values().filter(|shape| shape.command.is_some()).count();
        self.mark.count_is(FEEDS + commands);
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let command = prop_oneof![Just(None), (0..2_u8).prop_map(Some)];
    (0..FEEDS, command, 0..2_u8, 0..2_u8).prop_map(|(feed, command, path, gop_cache)| Shape {
        feed,
        command,
        path,
        gop_cache,
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        2 => (0..FEEDS, 0..3_u8).prop_map(|(index, variant)| Edit::Feed(index, variant)),
        1 => (0..STREAMS).prop_map(Edit::Remove),
        5 => (0..STREAMS, shape()).prop_map(|(index, shape)| Edit::Put(index, shape)),
    ]
}

fn model() -> impl Strategy<Value = Model> {
    let streams = proptest::collection::btree_map(0..STREAMS, shape(), 1..=STREAMS);
    (proptest::array::uniform2(0..3_u8), streams).prop_map(|(feeds, streams)| Model { feeds, streams })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_an_edit_does_not_name_is_not_touched(
        begin in model(),
        edits in proptest::collection::vec(edit(), 5..8),
    ) {
        let mut world = World::new(begin);
        for edit in &edits {
            world.edit(edit);
        }
        let mark = world.mark.clone();
        drop(world);
        mark.gone();
    }
}

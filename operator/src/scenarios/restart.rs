//! Annotations that ask for a restart.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use millrace_crds::{Resolved, resolve::RESTART};

use super::faulty::{feed, stream};
use crate::{kept::Kept, simulated::Simulated};

const COPY: &str = "command: [cat]";

fn several() -> Simulated {
    let yaml = "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec: {}\n"
        .to_owned()
        + &feed("a", "source: {command: [ffmpeg, \"-\"]}")
        + &stream("a-ts", &format!("path: /a.ts, feeds: [a], {COPY}"))
        + &stream("own", &format!("path: /own.ts, feeds: [a], pod: Own, {COPY}"))
        + &feed("b", "source: {command: [ffmpeg, \"-\"]}")
        + &feed("set", "source: {command: [ffmpeg, \"{each}\"]}, each: [p, q]");
    let mut all = Simulated::new(&yaml);
    all.settle();
    all
}

/// Revision and template of each slot, by who is in it.
fn slots(all: &Simulated) -> BTreeMap<String, (u64, String)> {
    let of = |map: &Arc<ConfigMap>| {
        let data = map.data.as_ref().unwrap();
        (data["revision"].parse().unwrap(), data["template"].clone())
    };
    let maps: BTreeMap<_, _> = all.view.config_maps.iter().map(|map| (map.name_any(), of(map))).collect();
    let kept = Kept::of(&all.view);
    let who = |name: &str| {
        let placement = &kept.slots[name].placement;
        placement.feeds.keys().chain(placement.streams.keys()).cloned().collect::<Vec<_>>().join(" ")
    };
    maps.into_iter().map(|(name, slot)| (who(&name), slot)).collect()
}

/// What was asked of whom, by slot.
fn asked(all: &Simulated) -> BTreeMap<String, String> {
    let read = |yaml: String| -> Resolved { millrace_crds::load("slot.yaml", &yaml).unwrap() };
    let mut asked = BTreeMap::new();
    for part in all.yaml().into_values().map(read) {
        asked.extend(part.feeds.values().filter_map(|it| Some((it.name.clone(), it.restart.clone()?))));
        asked.extend(part.streams.values().filter_map(|it| Some((it.name.clone(), it.restart.clone()?))));
    }
    asked
}

/// Exactly these slots have one more revision; nobody has another pod or another template.
fn renews(all: &mut Simulated, wanted: &[&str], change: impl FnOnce(&mut Simulated)) {
    let (before, pods) = (slots(all), all.pods());
    change(all);
    all.settle();
    let mut expected = before;
    for who in wanted {
        expected.get_mut(*who).unwrap_or_else(|| panic!("{who}")).0 += 1;
    }
    assert_eq!(slots(all), expected);
    assert_eq!(all.pods(), pods);
}

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn an_annotation_is_a_new_revision_of_that_slot_and_no_other_pod() {
    let mut all = several();
    assert_eq!(slots(&all).into_keys().collect::<Vec<_>>(), ["a a-ts", "b", "own", "set-p", "set-q"]);
    renews(&mut all, &["a a-ts"], |all| all.annotate("Feed/a", RESTART, Some("1")));
    assert_eq!(asked(&all), named(&[("a", "1")]));
    renews(&mut all, &["a a-ts"], |all| all.annotate("Feed/a", RESTART, Some("2")));
    renews(&mut all, &["own"], |all| all.annotate("Stream/own", RESTART, Some("3")));
    assert_eq!(asked(&all), named(&[("a", "2"), ("own", "3")]));
    renews(&mut all, &[], |all| all.annotate("Feed/b", "example.org/restart", Some("4")));
    // What runs in its last good form is restarted, too.
    renews(&mut all, &["b"], |all| {
        all.write(&feed("b", "source: {template: {name: none}}"));
        all.annotate("Feed/b", RESTART, Some("5"));
    });
    assert_eq!(asked(&all)["b"], "5");
}

#[test]
fn the_annotation_of_a_set_is_that_of_its_members_beside_their_own() {
    let mut all = several();
    renews(&mut all, &["set-p", "set-q"], |all| all.annotate("Feed/set", RESTART, Some("1")));
    assert_eq!(asked(&all), named(&[("set-p", "1"), ("set-q", "1")]));
    renews(&mut all, &["set-p"], |all| all.annotate("Feed/set-p", RESTART, Some("1")));
    renews(&mut all, &["set-p"], |all| all.annotate("Feed/set-p", RESTART, Some("2")));
    renews(&mut all, &["set-p", "set-q"], |all| all.annotate("Feed/set", RESTART, Some("2")));
    // A set that cannot be read for a while asks nobody for anything.
    let set = all.view.feeds.iter().find(|it| it.name_any() == "set").unwrap().clone();
    renews(&mut all, &[], |all| all.delete_feed("set"));
    renews(&mut all, &[], |all| all.view.feeds.push(set));
}

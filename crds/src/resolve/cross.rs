//! What must hold between objects: names that are known, paths that are free, fallbacks that end.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use super::{
    Context,
    fault::{Fault, Faults},
    members::Members,
    rings::rings_from,
};
use crate::{hint, resolve::members::Member, yaml::path::FieldPath};

pub(crate) fn check(
    context: &Context<'_>,
    members: &Members,
    into: &mut Vec<Fault>,
    warnings: &mut Vec<Fault>,
) {
    let feeds: BTreeSet<&str> = members.feeds.iter().map(|feed| feed.name.as_str()).collect();
    for feed in &members.feeds {
        let faults = &mut Faults { kind: "Feed", name: &feed.origin, into };
        names(context, members, &feeds, &feed.spec.fallback, "spec.fallback", faults);
    }
    for stream in &members.streams {
        let faults = &mut Faults { kind: "Stream", name: &stream.origin, into };
        names(context, members, &feeds, &stream.spec.feeds, "spec.feeds", faults);
    }
    cycles(members, into);
    paths(context, members, into);
    publish_paths(members, into);
    rooms(context, members, into);
    unused(members, warnings);
}

/// Feeds that are named must be there, once.
fn names(
    context: &Context<'_>,
    members: &Members,
    feeds: &BTreeSet<&str>,
    named: &[String],
    field: &str,
    faults: &mut Faults<'_>,
) {
    for (place, name) in named.iter().enumerate() {
        if faults.is_full() {
            return;
        }
        let field = FieldPath::of(field).index(place);
        if named.iter().take(place).any(|earlier| earlier == name) {
            faults.add(field, format!("the Feed {name} is named twice"), "each Feed once");
        } else if !feeds.contains(name.as_str()) && !members.lost_feeds.contains(name) {
            let set = context.objects.feeds.iter().find(|(feed, spec)| feed == name && spec.each.is_some());
            let help = match set {
                Some((set, _)) => format!("{set} is a set: name a member, such as {set}-{{each}}"),
                None => hint::help(name, feeds.iter().copied()),
            };
            faults.add(field, format!("there is no Feed {name}"), help);
        }
    }
}

/// Following fallbacks must come to an end.
fn cycles(members: &Members, into: &mut Vec<Fault>) {
    let by_name: BTreeMap<&str, &Member<_>> =
        members.feeds.iter().map(|feed| (feed.name.as_str(), feed)).collect();
    let fallback = |name: &str, place: usize| {
        by_name.get(name).and_then(|feed| feed.spec.fallback.get(place)).map(String::as_str)
    };
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in &members.feeds {
        let _ = rings_from::<()>(&start.name, fallback, &mut done, |ring| {
            let Some(first) = ring.first().copied() else { return ControlFlow::Continue(()) };
            let ring: Vec<&str> = ring.into_iter().take(20).chain([first]).collect();
            let origin = by_name.get(first).map_or(first, |feed| &feed.origin);
            Faults { kind: "Feed", name: origin, into }.add(
                FieldPath::of("spec.fallback"),
                format!("the fallbacks go round: {}", ring.join(" -> ")),
                "the last resort needs no fallback",
            );
            ControlFlow::Continue(())
        });
    }
}

/// No two Streams have one path, and none has a path of ours.
fn paths(context: &Context<'_>, members: &Members, into: &mut Vec<Fault>) {
    let mut ours = BTreeMap::from([
        ("/metrics", "the metrics"),
        ("/healthz", "the health"),
        ("/readyz", "the readiness"),
    ]);
    if context.cluster.status_page.enabled {
        ours.insert(&context.cluster.status_page.path, "the status page");
    }
    if context.cluster.status_api.enabled {
        ours.insert(&context.cluster.status_api.path, "the status for programs");
    }
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for stream in &members.streams {
        let path = stream.spec.path.as_str();
        let faults = &mut Faults { kind: "Stream", name: &stream.origin, into };
        if let Some(what) = ours.get(path) {
            faults.add(FieldPath::of("spec.path"), format!("{path} belongs to {what}"), "another path");
        }
        match taken.insert(path, &stream.name) {
            Some(other) if other != stream.name => {
                let message = format!("{path} is the path of Stream/{other}, too");
                faults.add(FieldPath::of("spec.path"), message, "a path of its own");
            }
            _ => {}
        }
    }
}

/// No two Feeds wait for a publisher at one path.
fn publish_paths(members: &Members, into: &mut Vec<Fault>) {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for feed in &members.feeds {
        let Some(publish) = &feed.spec.source.publish else { continue };
        match taken.insert(publish.path.as_str(), &feed.name) {
            Some(other) if other != feed.name => Faults { kind: "Feed", name: &feed.origin, into }.add(
                FieldPath::of("spec.source.publish.path"),
                format!("{} is where Feed/{other} is published, too", publish.path),
                "a path of its own",
            ),
            _ => {}
        }
    }
}

fn rooms(context: &Context<'_>, members: &Members, into: &mut Vec<Fault>) {
    let streams: BTreeSet<&str> = members.streams.iter().map(|stream| stream.name.as_str()).collect();
    for (name, spec) in &context.objects.rooms {
        let Some(reference) = &spec.stream_ref else { continue };
        let stream = &reference.name;
        let known = streams.contains(stream.as_str())
            || members.lost_streams.contains(stream)
            || context.objects.is_broken("Stream", stream);
        if !known {
            let help = hint::help(stream, streams.iter().copied());
            let faults = &mut Faults { kind: "Room", name, into };
            faults.add(FieldPath::of("spec.streamRef.name"), format!("there is no Stream {stream}"), help);
        }
    }
}

/// A Feed that nothing uses is no error: it may be there for later.
fn unused(members: &Members, warnings: &mut Vec<Fault>) {
    let streams = members.streams.iter().flat_map(|stream| &stream.spec.feeds);
    let used: BTreeSet<&String> =
        streams.chain(members.feeds.iter().flat_map(|feed| &feed.spec.fallback)).collect();
    for feed in members.feeds.iter().filter(|feed| !used.contains(&feed.name)) {
        let member = if feed.name == feed.origin { String::new() } else { format!("{}: ", feed.name) };
        Faults { kind: "Feed", name: &feed.origin, into: warnings }.add(
            FieldPath::of("metadata.name"),
            format!("{member}no Stream uses this Feed"),
            "name it in a Stream's spec.feeds",
        );
    }
}

//! No two Streams of a Cluster have one path, and no two Feeds wait for a publisher at one: who had it keeps it, else
//! the older has it, else the first by name.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use millrace_crds::{FieldPath, resolve::Fault};

use super::forms::Forms;
use crate::{
    kept::Kept,
    reason::{Reason, Why},
};

/// Everyone who has to give way, and to whom.
pub fn conflicts(forms: &Forms, kept: &Kept<'_>) -> Vec<(Fault, Option<Why>)> {
    let streams = forms.streams.iter().map(|(name, one)| (one.spec.path.as_str(), name, &one.created));
    let streams = losers(streams, |name, path| {
        let had = forms.streams.get(name).and_then(|one| kept.stream(name, &one.uid));
        had.is_some_and(|spec| spec.path.as_str() == path)
    });
    let feeds = forms.feeds.iter().filter_map(|(name, one)| {
        Some((one.spec.source.publish.as_ref()?.path.as_str(), name, &one.created))
    });
    let feeds = losers(feeds, |name, path| {
        let had = forms.feeds.get(name).and_then(|one| kept.feed(name, &one.uid)?.source.publish);
        had.is_some_and(|publish| publish.path.as_str() == path)
    });
    let streams = streams.into_iter().map(|it| taken("Stream", "spec.path", it));
    streams.chain(feeds.into_iter().map(|it| taken("Feed", "spec.source.publish.path", it))).collect()
}

fn losers<'a>(
    all: impl Iterator<Item = (&'a str, &'a String, &'a Option<Time>)>,
    had: impl Fn(&str, &str) -> bool,
) -> Vec<(&'a str, &'a str, &'a str)> {
    let mut by_path: BTreeMap<&str, Vec<(&String, &Option<Time>)>> = BTreeMap::new();
    for (path, name, created) in all {
        by_path.entry(path).or_default().push((name, created));
    }
    let mut found = Vec::new();
    for (path, claims) in by_path.into_iter().filter(|(_, claims)| claims.len() > 1) {
        let order = |(name, created): &&(&String, &Option<Time>)| {
            (!had(name, path), created.is_none(), (*created).clone(), (*name).clone())
        };
        let Some((winner, _)) = claims.iter().min_by_key(order) else { continue };
        let others = claims.iter().filter(|(name, _)| name != winner);
        found.extend(others.map(|(name, _)| (path, name.as_str(), winner.as_str())));
    }
    found
}

fn taken(kind: &'static str, field: &str, (path, loser, winner): (&str, &str, &str)) -> (Fault, Option<Why>) {
    let message = format!("{path} is the path of {kind}/{winner}, which had it first");
    let why = Why::new(Reason::PathTaken, format!("{field}: {message} (a path of its own)"));
    let fault = Fault {
        kind,
        name: loser.to_owned(),
        field: FieldPath::of(field),
        message,
        help: Some("a path of its own".into()),
    };
    (fault, Some(why))
}

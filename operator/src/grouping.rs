//! Which Feeds and Streams share a media pod. Pure.
//!
//! A Stream runs with its Feeds, so that their bytes reach it without a network in between; Feeds that one Stream
//! muxes therefore share a pod. A Stream has a pod of its own where it asks for it (`pod: Own`), where it has no Feed,
//! and where its image is another than that of its Feeds.

use std::collections::{BTreeMap, BTreeSet};

use millrace_crds::{FinalStream, Resolved, kinds::PodChoice};

/// What one media pod runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Names of Feeds.
    pub feeds: BTreeSet<String>,
    /// Names of Streams.
    pub streams: BTreeSet<String>,
}

/// All groups, those with Feeds first, each kind in the order of its first name.
pub fn groups(resolved: &Resolved) -> Vec<Group> {
    let together: Vec<&FinalStream> =
        resolved.streams.values().filter(|stream| shares(stream, resolved)).collect();
    // Each feed leads to the first of its group.
    let mut first: BTreeMap<&str, &str> =
        resolved.feeds.keys().map(|name| (name.as_str(), name.as_str())).collect();
    for stream in &together {
        let roots: Vec<&str> = stream.feeds.iter().filter_map(|feed| root(&first, feed)).collect();
        if let Some(least) = roots.iter().min().copied() {
            first.extend(roots.into_iter().map(|one| (one, least)));
        }
    }
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for feed in resolved.feeds.keys() {
        if let Some(root) = root(&first, feed) {
            groups.entry(root).or_default().feeds.insert(feed.clone());
        }
    }
    let mut alone = Vec::new();
    for stream in resolved.streams.values() {
        let with =
            stream.feeds.first().filter(|_| shares(stream, resolved)).and_then(|feed| root(&first, feed));
        match with.and_then(|root| groups.get_mut(root)) {
            Some(group) => {
                group.streams.insert(stream.name.clone());
            }
            None => alone.push(Group { streams: BTreeSet::from([stream.name.clone()]), ..Group::default() }),
        }
    }
    groups.into_values().chain(alone).collect()
}

/// Whether a stream runs in the pod of its feeds.
fn shares(stream: &FinalStream, resolved: &Resolved) -> bool {
    let default = resolved.cluster.servers.transcoder_image.as_ref();
    let images = || stream.feeds.iter().filter_map(|name| resolved.feeds.get(name));
    // A stream that names no image has that of its feeds.
    let has_image = || {
        stream.image.is_none()
            || images().any(|feed| feed.image.as_ref().or(default) == stream.image.as_ref().or(default))
    };
    !stream.feeds.is_empty() && stream.pod == PodChoice::Shared && (stream.command.is_none() || has_image())
}

fn root<'a>(first: &BTreeMap<&'a str, &'a str>, feed: &str) -> Option<&'a str> {
    let mut at = first.get(feed).copied()?;
    while let Some(next) = first.get(at).copied().filter(|next| *next != at) {
        at = next;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn resolved(feeds: &[&str], streams: &[(&str, &str)]) -> Resolved {
        let mut yaml = String::new();
        for name in feeds {
            let spec = "source: {command: [ffmpeg, \"-\"]}";
            let _ = write!(
                yaml,
                "---\napiVersion: millrace.dev/v1alpha1\nkind: Feed\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
            );
        }
        for (name, spec) in streams {
            let _ = write!(
                yaml,
                "---\napiVersion: millrace.dev/v1alpha1\nkind: Stream\nmetadata: {{name: {name}}}\nspec: {{path: /{name}, {spec}}}\n"
            );
        }
        millrace_crds::load("test.yaml", &yaml).unwrap_or_else(|wrong| panic!("{wrong:?}"))
    }

    fn shown(resolved: &Resolved) -> Vec<String> {
        let names = |set: &BTreeSet<String>| set.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        groups(resolved)
            .iter()
            .map(|group| format!("{} | {}", names(&group.feeds), names(&group.streams)))
            .collect()
    }

    const COPY: &str = "command: [ffmpeg, -i, \"{input}\", \"{output}\"]";

    #[test]
    fn a_stream_runs_with_its_feed() {
        let all = resolved(&["a", "b"], &[("one", "feeds: [a]"), ("two", &format!("feeds: [a], {COPY}"))]);
        assert_eq!(shown(&all), ["a | one two", "b | "]);
    }

    #[test]
    fn muxed_feeds_share_a_pod_with_all_that_needs_either() {
        let mux = "command: [ffmpeg, -i, \"{feed:b}\", -i, \"{feed:c}\", \"{output}\"]";
        let all =
            resolved(&["a", "b", "c"], &[("mux", &format!("feeds: [b, c], {mux}")), ("s", "feeds: [c]")]);
        assert_eq!(shown(&all), ["a | ", "b c | mux s"]);
    }

    #[test]
    fn own_pods_for_who_asks_has_no_feed_or_needs_another_image() {
        let streams = [
            ("asks", format!("feeds: [a], pod: Own, {COPY}")),
            ("feedless", "command: [ffmpeg, \"{output}\"]".to_owned()),
            ("image", format!("feeds: [a], image: other/ffmpeg, {COPY}")),
        ];
        let streams: Vec<_> = streams.iter().map(|(name, spec)| (*name, spec.as_str())).collect();
        assert_eq!(shown(&resolved(&["a"], &streams)), ["a | ", " | asks", " | feedless", " | image"]);
    }

    proptest! {
        #[test]
        fn everything_is_in_exactly_one_group(needs in proptest::collection::vec(proptest::collection::btree_set(0..6_usize, 1..4), 0..12)) {
            let feeds = ["f0", "f1", "f2", "f3", "f4", "f5"];
            let named: Vec<(String, String)> = needs.iter().enumerate().map(|(n, needs)| {
                let list = needs.iter().map(|f| feeds[*f]).collect::<Vec<_>>();
                let inputs = list.iter().map(|f| format!("\"{{feed:{f}}}\"")).collect::<Vec<_>>().join(", ");
                (format!("s{n}"), format!("feeds: [{}], command: [mux, {inputs}]", list.join(", ")))
            }).collect();
            let streams: Vec<_> = named.iter().map(|(name, spec)| (name.as_str(), spec.as_str())).collect();
            let all = resolved(&feeds, &streams);
            let groups = groups(&all);
            for feed in feeds {
                prop_assert_eq!(groups.iter().filter(|group| group.feeds.contains(feed)).count(), 1);
            }
            for stream in all.streams.values() {
                let of: Vec<_> = groups.iter().filter(|group| group.streams.contains(&stream.name)).collect();
                prop_assert_eq!(of.len(), 1);
                prop_assert!(stream.feeds.iter().all(|feed| of[0].feeds.contains(feed)));
            }
        }
    }
}

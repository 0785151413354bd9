//! What is owned as a whole: Feeds that must be together with their Streams, or one Stream without Feeds. Pure.

use std::collections::{BTreeMap, BTreeSet};

use millrace_crds::{FinalSource, Resolved};
use millrace_fencing::FeedUid;

use crate::{grouping::Group, kept::Placement, names, resolve::Settled};

/// What a Lease is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A Feed.
    Feed,
    /// A Stream that no Feed of its pod owns.
    Stream,
}

impl Kind {
    /// As in an owner reference.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Feed => "Feed",
            Self::Stream => "Stream",
        }
    }
}

/// One of a unit that has a Lease of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: FeedUid,
    /// The name of its Lease.
    pub lease: String,
    /// Whether a path is announced under its grant: balancers hear of no others.
    pub announced: bool,
}

/// What has one owner, and one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The slot that it belongs to.
    pub home: String,
    /// All that have a Lease: Feeds by name, else the one Stream. The first gives the unit its name.
    pub members: Vec<Member>,
    /// What it brings into the configuration of a pod.
    pub placement: Placement,
    /// Images that its commands run in.
    pub images: BTreeSet<String>,
    /// It reads files that only pods of its own slot have.
    pub tied: bool,
    /// A second pod of its slot is ready to take it.
    pub standby: bool,
}

/// All units of a Cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// By the UID of the first member.
    pub all: BTreeMap<FeedUid, Unit>,
    /// The unit of each member.
    pub of: BTreeMap<FeedUid, FeedUid>,
}

impl Units {
    /// The unit of a member.
    pub fn unit(&self, member: &FeedUid) -> Option<(&FeedUid, &Unit)> {
        self.all.get_key_value(self.of.get(member)?)
    }
}

/// All units. What has no slot yet is none.
pub fn units<'a>(
    cluster: &str,
    resolved: &Resolved,
    settled: &Settled,
    groups: &[Group],
    slots: impl Iterator<Item = (&'a String, &'a Placement)>,
) -> Units {
    let mut homes = Homes::default();
    for (slot, placement) in slots {
        homes.feeds.extend(placement.feeds.keys().map(|name| (name.as_str(), slot.as_str())));
        homes.streams.extend(placement.streams.keys().map(|name| (name.as_str(), slot.as_str())));
    }
    let mut units = Units::default();
    for group in groups {
        let Some((uid, unit)) = unit(cluster, resolved, settled, group, &homes) else { continue };
        units.of.extend(unit.members.iter().map(|member| (member.uid.clone(), uid.clone())));
        units.all.insert(uid, unit);
    }
    units
}

#[derive(Default)]
struct Homes<'a> {
    feeds: BTreeMap<&'a str, &'a str>,
    streams: BTreeMap<&'a str, &'a str>,
}

fn unit(
    cluster: &str,
    resolved: &Resolved,
    settled: &Settled,
    group: &Group,
    homes: &Homes<'_>,
) -> Option<(FeedUid, Unit)> {
    let placement = Placement {
        feeds: named(&group.feeds, &settled.feeds),
        streams: named(&group.streams, &settled.streams),
    };
    let (kind, owned, home) = if let Some(first) = placement.feeds.keys().next() {
        (Kind::Feed, &placement.feeds, homes.feeds.get(first.as_str()))
    } else {
        let first = placement.streams.keys().next()?;
        (Kind::Stream, &placement.streams, homes.streams.get(first.as_str()))
    };
    let streams = || group.streams.iter().filter_map(|name| resolved.streams.get(name));
    let feeds = || group.feeds.iter().filter_map(|name| resolved.feeds.get(name));
    let first_feeds: BTreeSet<&str> =
        streams().filter_map(|stream| stream.feeds.first()).map(String::as_str).collect();
    let member = |(name, uid): (&String, &String)| {
        Some(Member {
            kind,
            name: name.clone(),
            uid: FeedUid::new(uid).ok()?,
            lease: names::lease(cluster, name, uid),
            announced: kind == Kind::Stream || first_feeds.contains(name.as_str()),
        })
    };
    let members: Vec<Member> = owned.iter().filter_map(member).collect();
    let default = resolved.cluster.servers.transcoder_image.as_ref();
    let of_feeds = feeds().filter(|feed| matches!(feed.source, FinalSource::Command { .. }));
    let of_streams = streams().filter(|stream| stream.command.is_some());
    let images = of_feeds
        .map(|feed| feed.image.as_ref())
        .chain(of_streams.map(|stream| stream.image.as_ref()))
        .filter_map(|image| image.or(default).cloned())
        .collect();
    let tied = feeds().any(|feed| matches!(feed.source, FinalSource::File { volume: Some(_), .. }));
    let standby = feeds().any(|feed| feed.standby);
    let uid = members.first()?.uid.clone();
    let home = (*home?).to_owned();
    Some((uid, Unit { home, members, placement, images, tied, standby }))
}

fn named(names: &BTreeSet<String>, uids: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    names.iter().filter_map(|name| Some((name.clone(), uids.get(name)?.clone()))).collect()
}

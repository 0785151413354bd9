//! Sets become their members; what is no set is its own only member.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Context, Objects,
    fault::{Fault, Faults},
    set::{member_name, member_spec},
};
use crate::{
    hint,
    kinds::{FeedSpec, StreamSpec},
    rules::is_object_name,
    yaml::path::FieldPath,
};

/// The most Feeds, and the most Streams, of all sets together.
pub const MAX_MEMBERS: usize = 50_000;

/// A Feed or Stream that will run.
pub(crate) struct Member<Spec> {
    /// The name of the object that was written.
    pub(crate) origin: String,
    /// Its own name.
    pub(crate) name: String,
    pub(crate) spec: Spec,
}

pub(crate) struct Members {
    pub(crate) feeds: Vec<Member<FeedSpec>>,
    pub(crate) streams: Vec<Member<StreamSpec>>,
    /// Names of members that could not be made, with those of the objects that are broken.
    pub(crate) lost_feeds: BTreeSet<String>,
    pub(crate) lost_streams: BTreeSet<String>,
}

pub(crate) fn duplicates(objects: &Objects, into: &mut Vec<Fault>) {
    let kinds: [(&'static str, Vec<&String>); 5] = [
        ("Cluster", objects.clusters.iter().map(|(name, _)| name).collect()),
        ("Feed", objects.feeds.iter().map(|(name, _)| name).collect()),
        ("Stream", objects.streams.iter().map(|(name, _)| name).collect()),
        ("Room", objects.rooms.iter().map(|(name, _)| name).collect()),
        ("Secret", objects.secrets.iter().map(|secret| &secret.name).collect()),
    ];
    for (kind, names) in kinds {
        let mut seen = BTreeSet::new();
        for name in names.into_iter().filter(|name| !seen.insert(name.as_str())) {
            let message = format!("there is another {kind} called {name}");
            Faults { kind, name, into }.add(FieldPath::of("metadata.name"), message, "rename or remove one");
        }
    }
}

pub(crate) fn expand(context: &Context<'_>, into: &mut Vec<Fault>) -> Members {
    let mut members = Members {
        feeds: Vec::new(),
        streams: Vec::new(),
        lost_feeds: context
            .objects
            .broken
            .iter()
            .filter(|(kind, _)| kind == "Feed")
            .map(|it| it.1.clone())
            .collect(),
        lost_streams: BTreeSet::new(),
    };
    let mut sets: BTreeMap<&str, &[String]> = BTreeMap::new();
    for (name, spec) in &context.objects.feeds {
        let mut faults = Faults { kind: "Feed", name, into };
        match &spec.each {
            None => {
                no_each(&spec.fallback, "spec.fallback", &mut faults);
                members.feeds.push(Member { origin: name.clone(), name: name.clone(), spec: spec.clone() });
            }
            Some(pieces) => {
                sets.insert(name, pieces);
                let room = MAX_MEMBERS.saturating_sub(members.feeds.len());
                set(name, pieces, spec, room, &mut members.feeds, &mut members.lost_feeds, &mut faults);
            }
        }
    }
    for (name, spec) in &context.objects.streams {
        let mut faults = Faults { kind: "Stream", name, into };
        let pieces = match (&spec.each, &spec.each_of) {
            (Some(pieces), _) => pieces.as_slice(),
            (None, Some(feed)) => match pieces_of(context, &sets, feed, &mut faults) {
                Some(pieces) => pieces,
                None => continue,
            },
            (None, None) => {
                no_each(&spec.feeds, "spec.feeds", &mut faults);
                no_each(&[spec.path.to_string()], "spec.path", &mut faults);
                members.streams.push(Member { origin: name.clone(), name: name.clone(), spec: spec.clone() });
                continue;
            }
        };
        if pieces.len() > 1 && !spec.path.as_str().contains("{each}") {
            let help = "such as /cams/{each}.ts: every member needs a path of its own";
            faults.add(FieldPath::of("spec.path"), "the path of a set does not hold {each}", help);
            continue;
        }
        let room = MAX_MEMBERS.saturating_sub(members.streams.len());
        set(name, pieces, spec, room, &mut members.streams, &mut members.lost_streams, &mut faults);
    }
    taken(&members, into);
    members
}

fn pieces_of<'a>(
    context: &Context<'_>,
    sets: &BTreeMap<&str, &'a [String]>,
    feed: &str,
    faults: &mut Faults<'_>,
) -> Option<&'a [String]> {
    let found = sets.get(feed).copied();
    if found.is_none() && !context.objects.is_broken("Feed", feed) {
        let field = FieldPath::of("spec.eachOf");
        if context.objects.feeds.iter().any(|(name, _)| name == feed) {
            faults.add(
                field,
                format!("the Feed {feed} is no set"),
                "give that Feed spec.each, or name a Feed that has it",
            );
        } else {
            let help = hint::help(feed, sets.keys().copied());
            faults.add(field, format!("there is no Feed {feed}"), help);
        }
    }
    found
}

fn no_each(texts: &[String], field: &str, faults: &mut Faults<'_>) {
    for (place, text) in texts.iter().enumerate().filter(|(_, text)| text.contains("{each}")) {
        let path = FieldPath::of(field);
        let path = if field == "spec.path" { path } else { path.index(place) };
        faults.add(path, format!("{text} holds {{each}}, and this is no set"), "add spec.each");
    }
}

fn set<Spec: serde::Serialize + serde::de::DeserializeOwned>(
    name: &str,
    pieces: &[String],
    spec: &Spec,
    room: usize,
    members: &mut Vec<Member<Spec>>,
    lost: &mut BTreeSet<String>,
    faults: &mut Faults<'_>,
) {
    if pieces.len() > room {
        faults.add(FieldPath::of("spec"), format!("more than {MAX_MEMBERS} members of sets"), "fewer pieces");
        lost.extend(pieces.iter().map(|piece| member_name(name, piece)));
        return;
    }
    for (place, piece) in pieces.iter().enumerate() {
        let member = member_name(name, piece);
        let field = FieldPath::of("spec.each").index(place);
        if pieces.iter().take(place).any(|earlier| earlier == piece) {
            faults.add(field, format!("the piece {piece} is there twice"), "each piece once");
        } else if !is_object_name(&member) {
            let help = "the set's name, - and the piece: at most 40 of a-z, 0-9 and -";
            faults.add(field, format!("the member's name {member} is no name"), help);
            lost.insert(member);
        } else {
            match member_spec(spec, piece) {
                Ok(spec) => members.push(Member { origin: name.to_owned(), name: member, spec }),
                Err(error) => {
                    faults.add(FieldPath::of("spec"), format!("as {member}: {error}"), "");
                    lost.insert(member);
                }
            }
        }
    }
}

/// A member's name must not be that of another object.
fn taken(members: &Members, into: &mut Vec<Fault>) {
    fn check<Spec>(kind: &'static str, members: &[Member<Spec>], into: &mut Vec<Fault>) {
        let mut by_name: BTreeMap<&str, &str> = BTreeMap::new();
        for member in members {
            // Two objects of one name were reported before.
            match by_name.insert(&member.name, &member.origin) {
                Some(other) if other != member.origin => {
                    let set = if member.origin == member.name { other } else { &member.origin };
                    let other = if set == member.origin { other } else { &member.origin };
                    Faults { kind, name: set, into }.add(
                        FieldPath::of("spec.each"),
                        format!("the member's name {} is taken by {kind}/{other}", member.name),
                        "rename one",
                    );
                }
                _ => {}
            }
        }
    }
    check("Feed", &members.feeds, into);
    check("Stream", &members.streams, into);
}

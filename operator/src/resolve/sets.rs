//! Sets: their members are real Feeds and Streams, which the operator makes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use millrace_crds::{
    kinds::{Feed, Stream},
    resolve::{member_name, member_spec},
    rules::is_object_name,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    decision::{Apply, Decision, Delete, Kind, Manager, Object},
    labels,
    reason::{Reason, Why},
    view::View,
};

/// What became of a set.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// The names of its members, those that are there.
    pub members: Vec<String>,
    /// How many it should have.
    pub wanted: usize,
    /// What is wrong with it as a whole.
    pub fault: Option<Why>,
    /// Names that others have.
    pub taken: Vec<String>,
}

/// All sets by name.
#[derive(Clone, Debug, Default)]
pub struct Sets {
    /// Those of Feeds.
    pub feeds: BTreeMap<String, Set>,
    /// Those of Streams.
    pub streams: BTreeMap<String, Set>,
}

/// A kind of which there are sets.
trait Piecewise: Resource<DynamicType = ()> + Clone + PartialEq {
    type Spec: Serialize + DeserializeOwned + PartialEq + Clone;
    const KIND: Kind;
    fn new(name: &str, spec: Self::Spec) -> Self;
    fn spec(&self) -> &Self::Spec;
    fn object(self) -> Object;
}

macro_rules! piecewise {
    ($($kind:ident: $spec:ty),+) => {$(
        impl Piecewise for $kind {
            type Spec = $spec;
            const KIND: Kind = Kind::$kind;
            fn new(name: &str, spec: Self::Spec) -> Self { $kind::new(name, spec) }
            fn spec(&self) -> &Self::Spec { &self.spec }
            fn object(self) -> Object { Object::$kind(Box::new(self)) }
        }
    )+};
}

piecewise!(Feed: millrace_crds::kinds::FeedSpec, Stream: millrace_crds::kinds::StreamSpec);

/// Makes members, mends them, deletes those whose piece is gone.
pub fn expand(view: &View, into: &mut Decision) -> Sets {
    let mut sets = Sets::default();
    let mut unreadable: BTreeSet<(&str, &str)> = BTreeSet::new();
    unreadable.extend(view.unreadable.iter().map(|it| (it.kind, it.name.as_str())));
    for feed in view.feeds.iter().filter(|feed| feed.spec.each.is_some()) {
        let pieces = feed.spec.each.as_deref().unwrap_or_default();
        sets.feeds.insert(feed.name_any(), one(view, feed.as_ref(), pieces, &view.feeds, &unreadable, into));
    }
    for stream in view.streams.iter().filter(|it| it.spec.each.is_some() || it.spec.each_of.is_some()) {
        let set = match pieces(view, stream, &unreadable) {
            Ok(pieces) => one(view, stream.as_ref(), pieces, &view.streams, &unreadable, into),
            Err(why) => Set {
                members: members_of(stream.as_ref(), &view.streams).map(|it| it.name_any()).collect(),
                wanted: members_of(stream.as_ref(), &view.streams).count(),
                fault: Some(why),
                taken: Vec::new(),
            },
        };
        sets.streams.insert(stream.name_any(), set);
    }
    sets
}

fn pieces<'a>(
    view: &'a View,
    stream: &'a Stream,
    unreadable: &BTreeSet<(&str, &str)>,
) -> Result<&'a [String], Why> {
    let Some(name) = &stream.spec.each_of else { return Ok(stream.spec.each.as_deref().unwrap_or_default()) };
    match view.feeds.iter().find(|feed| feed.name_any() == *name).map(|feed| feed.spec.each.as_deref()) {
        Some(Some(pieces)) => Ok(pieces),
        Some(None) => Err(Why::new(
            Reason::Invalid,
            format!(
                "spec.eachOf: the Feed {name} is no set (give that Feed spec.each, or name a Feed that has it)"
            ),
        )),
        None if unreadable.contains(&("Feed", name.as_str())) => {
            Err(Why::new(Reason::FeedInvalid, format!("spec.eachOf: the Feed {name} cannot be read")))
        }
        None => Err(Why::new(
            Reason::FeedNotFound,
            format!("spec.eachOf: there is no Feed {name} (name a Feed that has spec.each)"),
        )),
    }
}

fn one<K: Piecewise>(
    view: &View,
    set: &K,
    pieces: &[String],
    all: &[Arc<K>],
    unreadable: &BTreeSet<(&str, &str)>,
    into: &mut Decision,
) -> Set {
    let mut found = Set { wanted: pieces.len(), ..Set::default() };
    if set.meta().deletion_timestamp.is_some() {
        return found;
    }
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut wrong: Vec<String> = Vec::new();
    for piece in pieces {
        let name = member_name(&set.name_any(), piece);
        wanted.insert(name.clone());
        if !is_object_name(&name) {
            wrong.push(format!(
                "spec.each: the member's name {name} is no name (at most 40 of a-z, 0-9 and -)"
            ));
            continue;
        }
        let spec = match member_spec(set.spec(), piece) {
            Ok(spec) => spec,
            Err(error) => {
                wrong.push(format!("spec: as {name}: {error}"));
                continue;
            }
        };
        match all.iter().find(|it| it.name_any() == name) {
            Some(other) if !is_member(other.as_ref(), set) => found.taken.push(name),
            // A member that cannot be read is put right.
            Some(member) if is_right(member.as_ref(), set, &spec) => found.members.push(name),
            Some(_) => {
                into.apply.push(apply(view, set, &name, spec));
                found.members.push(name);
            }
            None if unreadable.contains(&(kind::<K>(), name.as_str())) => found.members.push(name),
            None => into.apply.push(apply(view, set, &name, spec)),
        }
    }
    for member in members_of(set, all).filter(|it| !wanted.contains(&it.name_any())) {
        if member.meta().deletion_timestamp.is_none() {
            let uid = member.uid().unwrap_or_default();
            into.delete.push(Delete { kind: K::KIND, name: member.name_any(), uid });
        }
    }
    if let Some(first) = wrong.first() {
        found.fault = Some(Why::new(Reason::Invalid, first.clone()));
    }
    found
}

fn kind<K: Piecewise>() -> &'static str {
    match K::KIND {
        Kind::Stream => "Stream",
        _ => "Feed",
    }
}

fn members_of<'a, K: Piecewise>(set: &'a K, all: &'a [Arc<K>]) -> impl Iterator<Item = &'a Arc<K>> {
    all.iter().filter(move |it| is_member(it.as_ref(), set))
}

fn is_member<K: Piecewise>(member: &K, set: &K) -> bool {
    let uid = set.uid();
    member
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && Some(&owner.uid) == uid.as_ref())
}

fn is_right<K: Piecewise>(member: &K, set: &K, spec: &K::Spec) -> bool {
    member.spec() == spec && member.labels().get(labels::SET) == set.meta().name.as_ref()
}

fn apply<K: Piecewise>(view: &View, set: &K, name: &str, spec: K::Spec) -> Apply {
    let mut member = K::new(name, spec);
    *member.meta_mut() = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(view.namespace.clone()),
        labels: Some(labels::with(labels::map([]), labels::SET, &set.name_any())),
        owner_references: Some(vec![OwnerReference {
            api_version: millrace_crds::kinds::API_VERSION.to_owned(),
            kind: kind::<K>().to_owned(),
            name: set.name_any(),
            uid: set.uid().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    };
    Apply { manager: Manager::Build, object: member.object() }
}

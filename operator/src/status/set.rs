//! The status of a set: how many members there are, and how many of them are Ready.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::ResourceExt;
use millrace_crds::kinds::{FeedStatus, StreamStatus};

use super::{
    conditions::{self, Wanted},
    events,
    readiness::{Feeds, Streams},
};
use crate::{
    decide::Known,
    decision::{Decision, Status},
    reason::{Reason, Why},
    resolve::sets::Set,
    view::View,
};

/// Writes those that changed.
pub fn write(view: &View, known: &Known<'_>, feeds: &Feeds, streams: &Streams, into: &mut Decision) {
    for feed in view.feeds.iter().filter(|feed| feed.spec.each.is_some()) {
        let name = feed.name_any();
        let Some(set) = known.sets.feeds.get(&name) else { continue };
        let old = feed.status.clone().unwrap_or_default();
        let ready = set.members.iter().filter(|it| feeds.get(*it).is_some_and(|(ready, _)| *ready)).count();
        let status = FeedStatus {
            source: Some("set".to_owned()),
            members: Some(set.members.len() as i32),
            ready: Some(ready as i32),
            conditions: conditions(view, set, ready, &feed.metadata, &old.conditions),
            observed_generation: feed.metadata.generation,
            ..FeedStatus::default()
        };
        events::compare("Feed", &feed.metadata, &old.conditions, &status.conditions, into);
        if feed.status.as_ref() != Some(&status) {
            into.status.push(Status::Feed { name, status: Box::new(status) });
        }
    }
    for stream in view.streams.iter().filter(|it| it.spec.each.is_some() || it.spec.each_of.is_some()) {
        let name = stream.name_any();
        let Some(set) = known.sets.streams.get(&name) else { continue };
        let old = stream.status.clone().unwrap_or_default();
        let ready = set.members.iter().filter(|it| streams.get(*it).copied().unwrap_or_default()).count();
        let status = StreamStatus {
            members: Some(set.members.len() as i32),
            ready: Some(ready as i32),
            conditions: conditions(view, set, ready, &stream.metadata, &old.conditions),
            observed_generation: stream.metadata.generation,
            ..StreamStatus::default()
        };
        events::compare("Stream", &stream.metadata, &old.conditions, &status.conditions, into);
        if stream.status.as_ref() != Some(&status) {
            into.status.push(Status::Stream { name, status: Box::new(status) });
        }
    }
}

fn conditions(
    view: &View,
    set: &Set,
    ready: usize,
    metadata: &ObjectMeta,
    old: &[Condition],
) -> Vec<Condition> {
    let wrong = set.fault.clone().or_else(|| {
        let names = set.taken.join(", ");
        let message = format!("spec.each: taken by objects that are not this set's: {names} (rename one)");
        (!set.taken.is_empty()).then(|| Why::new(Reason::NameTaken, message))
    });
    let all = ready == set.wanted;
    let counted = format!("{ready} of {} members are Ready", set.wanted);
    let reason = if all { Reason::MembersReady } else { Reason::MembersNotReady };
    let mut wanted = vec![match &wrong {
        Some(why) => conditions::ready(false, why.clone()),
        None => conditions::ready(all, Why::new(reason, counted)),
    }];
    let made = set.members.len() == set.wanted;
    wanted.push(Wanted {
        kind: "MembersReady",
        holds: Some(wrong.is_none() && made),
        why: wrong.unwrap_or_else(|| {
            let message = format!("{} of {} members are there", set.members.len(), set.wanted);
            Why::new(if made { Reason::MembersCreated } else { Reason::Pending }, message)
        }),
    });
    conditions::merge(old, wanted, metadata.generation, view.now)
}

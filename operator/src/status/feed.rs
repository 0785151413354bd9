//! The status of a Feed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use millrace_crds::{
    kinds::{Feed, FeedState, FeedStatus, Source},
    shared::Activation,
};
use millrace_report::message::{Doing, State};

use super::{
    cluster::Count,
    conditions::{self, Wanted},
    events, exit,
    readiness::{Case, Feeds},
};
use crate::{
    decide::Known,
    decision::{Decision, Status},
    reason::{Reason, Why},
    view::View,
};

/// Writes it, if it changed.
pub fn write(
    view: &View,
    known: &Known<'_>,
    feed: &Feed,
    ready: &mut Feeds,
    count: &mut Count,
    into: &mut Decision,
) {
    let name = feed.name_any();
    let old = feed.status.clone().unwrap_or_default();
    let mut case = Case::new(view, known, known.place_of_feed(&name));
    case.fault = known.settled.faults.feeds.get(&name);
    case.doing = case.report.and_then(|report| report.feeds.get(&name));
    case.continuous = feed.spec.activation == Activation::Continuous;
    let (is_ready, why) = case.ready(&old.conditions);
    count.total += 1;
    count.ready += i32::from(is_ready);
    let mut wanted = vec![conditions::ready(is_ready, why.clone())];
    wanted.extend(others(known, &name, case.doing, &old.conditions));
    let conditions = conditions::merge(&old.conditions, wanted, feed.metadata.generation, view.now);
    let status = FeedStatus {
        state: case.doing.map(|doing| state(doing, &old, &why)),
        source: Some(source(&feed.spec.source).to_owned()),
        pod: case.pod.map(ResourceExt::name_any),
        epoch: old.epoch,
        last_exit: exit::last(old.last_exit.as_ref(), case.doing.and_then(|doing| doing.last_exit.as_ref())),
        members: None,
        ready: None,
        conditions,
        observed_generation: feed.metadata.generation,
    };
    ready.insert(name.clone(), (is_ready, why));
    events::compare("Feed", &feed.metadata, &old.conditions, &status.conditions, into);
    if feed.status.as_ref() != Some(&status) {
        into.status.push(Status::Feed { name, status: Box::new(status) });
    }
}

fn others(known: &Known<'_>, name: &str, doing: Option<&Doing>, old: &[Condition]) -> Vec<Wanted> {
    let active = doing.and_then(|doing| doing.fallback.as_ref());
    let active = active.map(|other| {
        Why::new(Reason::FallbackActive, format!("the Feed {other} gives the media in place of this one"))
    });
    let missing = known.settled.faults.fallbacks.get(name).cloned();
    [
        conditions::said(old, "FallbackActive", active, Reason::FallbackAtRest, "it gives its own media"),
        conditions::said(
            old,
            "FallbackMissing",
            missing,
            Reason::FallbackAtRest,
            "all of spec.fallback is there",
        ),
        conditions::gop(old, doing, "gopCache"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A start after a failure counts as that failure until it gives something, or the state would change at each try.
fn state(doing: &Doing, old: &FeedStatus, why: &Why) -> FeedState {
    match doing.state {
        State::Starting if why.reason.gives_nothing() => old.state.unwrap_or(FeedState::Starting),
        State::Idle => FeedState::Idle,
        State::Starting => FeedState::Starting,
        State::Running => FeedState::Running,
        State::Silent => FeedState::Silent,
        State::Backoff => FeedState::Backoff,
        State::Failed => FeedState::Failed,
    }
}

fn source(source: &Source) -> &'static str {
    match source {
        Source { command: Some(_), .. } => "command",
        Source { template: Some(_), .. } => "template",
        Source { file: Some(_), .. } => "file",
        Source { pull: Some(_), .. } => "pull",
        _ => "publish",
    }
}

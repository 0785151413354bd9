//! The status of a Stream.

use kube::ResourceExt;
use millrace_crds::{
    kinds::{PlayProtocol, Stream, StreamState, StreamStatus},
    shared::EndpointUrls,
};
use millrace_report::message::{Doing, State};

use super::{
    conditions, events,
    front::Front,
    readiness::{Case, Feeds, Streams},
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
    stream: &Stream,
    front: &Front,
    feeds: &Feeds,
    streams: &mut Streams,
    into: &mut Decision,
) {
    let name = stream.name_any();
    let old = stream.status.clone().unwrap_or_default();
    let mut case = Case::new(view, known, known.place_of_stream(&name));
    case.fault = known.settled.faults.streams.get(&name);
    case.doing = case.report.and_then(|report| report.streams.get(&name));
    let (mut is_ready, mut why) = case.ready(&old.conditions);
    let running = case.doing.is_some_and(|doing| doing.state == State::Running);
    let resolved = known.settled.resolved.as_ref().and_then(|it| it.streams.get(&name));
    if is_ready && !running {
        // A Feed with a bad edit runs on as before: that is not this Stream's trouble.
        let faults = &known.settled.faults.feeds;
        let mut needed = resolved.iter().flat_map(|it| &it.feeds).filter(|feed| !faults.contains_key(*feed));
        let broken = needed.find_map(|feed| Some((feed, feeds.get(feed).filter(|(ready, _)| !ready)?)));
        if let Some((feed, (_, wrong))) = broken {
            let message = format!("the Feed {feed} is not Ready: {}: {}", wrong.reason.name(), wrong.message);
            (is_ready, why) = (false, Why::new(Reason::FeedNotReady, message));
        }
    }
    if let Some(closed) = front.closed.as_ref().filter(|_| is_ready) {
        (is_ready, why) = (false, closed.clone());
    }
    let mut wanted = vec![conditions::ready(is_ready, why.clone())];
    wanted.extend(conditions::gop(&old.conditions, case.doing, "spec.gopCache"));
    let status = StreamStatus {
        state: case.doing.map(|doing| state(doing, &old, &why)),
        url: resolved.zip(front.place.as_ref()).and_then(|(stream, place)| {
            let served = stream.protocols.as_ref().is_none_or(|all| all.contains(&PlayProtocol::Http));
            served.then(|| EndpointUrls {
                http: Some(place.url(stream.path.as_str())),
                ..EndpointUrls::default()
            })
        }),
        codecs: Vec::new(),
        members: None,
        ready: None,
        conditions: conditions::merge(&old.conditions, wanted, stream.metadata.generation, view.now),
        observed_generation: stream.metadata.generation,
    };
    streams.insert(name.clone(), is_ready);
    events::compare("Stream", &stream.metadata, &old.conditions, &status.conditions, into);
    if stream.status.as_ref() != Some(&status) {
        into.status.push(Status::Stream { name, status: Box::new(status) });
    }
}

fn state(doing: &Doing, old: &StreamStatus, why: &Why) -> StreamState {
    match doing.state {
        State::Starting if why.reason.gives_nothing() => old.state.unwrap_or(StreamState::Starting),
        State::Idle => StreamState::Idle,
        State::Starting => StreamState::Starting,
        State::Running => StreamState::Running,
        State::Silent => StreamState::Silent,
        State::Backoff => StreamState::Backoff,
        State::Failed => StreamState::Failed,
    }
}

//! What people see of each resource. Only what changed is written.

mod address;
mod cluster;
mod conditions;
mod events;
mod exit;
mod failover;
mod feed;
mod front;
mod pod_state;
mod readiness;
mod room;
mod set;
mod stream;
mod upstreams;

use crate::{decide::Known, decision::Decision, view::View};

/// Writes what changed, with the events about it.
pub fn write(view: &View, known: &Known<'_>, into: &mut Decision) {
    look_again(view, known, into);
    let front = front::Front::of(view, known);
    let mut feeds = cluster::Count::default();
    let mut ready = readiness::Feeds::new();
    for feed in &view.feeds {
        if feed.spec.each.is_none() {
            feed::write(view, known, feed, &mut ready, &mut feeds, into);
        }
    }
    let mut streams = readiness::Streams::new();
    for stream in view.streams.iter().filter(|it| it.spec.each.is_none() && it.spec.each_of.is_none()) {
        stream::write(view, known, stream, &front, &ready, &mut streams, into);
    }
    set::write(view, known, &ready, &streams, into);
    for room in &view.rooms {
        room::write(view, room, into);
    }
    if let Some(cluster) = &view.cluster {
        cluster::write(view, known, cluster, front.place.as_ref(), &feeds, into);
    }
}

/// Those who may be silent for a while are looked at when it is over.
fn look_again(view: &View, known: &Known<'_>, into: &mut Decision) {
    let unheard = known
        .slots
        .keys()
        .filter_map(|slot| known.pod(slot))
        .filter(|pod| !pod.metadata.uid.as_ref().is_some_and(|uid| view.reports.contains_key(uid)));
    let again = into.again.into_iter().chain(unheard.filter_map(|pod| readiness::grace(pod, view.now))).min();
    into.again = again;
}

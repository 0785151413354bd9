//! Hands a viewer to the egress, and keeps book of it.

use std::{
    any::Any,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use bytes::Bytes;
use millrace_bus::egress::{Left, OnLeave, Sink, Viewer};

use crate::{
    Opened,
    counters::count,
    leash::{Leash, Leashed},
    shared::{Place, Shared},
    viewers::Record,
};

/// A viewer before it is seated.
pub(crate) struct Arrival {
    pub peer: SocketAddr,
    pub path: String,
    pub protocol: &'static str,
    pub user_agent: Arc<str>,
    /// Where the connection is the egress's from now on.
    pub place: Option<Place>,
}

/// From here on `sink` gets `head` and what follows.
pub(crate) fn seat<S: Sink + 'static>(
    shared: &Arc<Shared>,
    arrival: Arrival,
    opened: Opened,
    head: Bytes,
    sink: S,
) {
    let Arrival { peer, path, protocol, user_agent, place } = arrival;
    let Opened { joined, flush, hold, .. } = opened;
    let record = Arc::new(Record {
        id: shared.viewers.next_id(),
        peer,
        path: path.into(),
        protocol,
        user_agent,
        since: SystemTime::now(),
        leash: Arc::new(Leash::default()),
        stats: OnceLock::new(),
    });
    count(&shared.counters.viewers);
    tracing::info!(
        viewer = record.id, %peer, path = ?record.path, protocol, user_agent = ?record.user_agent,
        "viewer joined"
    );
    let sink = Box::new(Leashed { sink, leash: record.leash.clone() });
    let on_leave = on_leave(shared, record.clone(), hold, place);
    let handle = shared.egress.attach(Viewer { sink, head, joined, flush, on_leave });
    let _ = record.stats.set(handle.stats().clone());
}

fn on_leave(
    shared: &Arc<Shared>,
    record: Arc<Record>,
    hold: Box<dyn Any + Send>,
    place: Option<Place>,
) -> OnLeave {
    let listed = shared.viewers.list(&record);
    Box::new(move |left, stats| {
        let reason = if record.leash.is_pulled() { Left::Dismissed } else { left };
        tracing::info!(
            viewer = record.id, peer = %record.peer, path = ?record.path, protocol = record.protocol,
            bytes = stats.sent(), seconds = stats.age().as_secs(), skips = stats.skips(), %reason,
            "viewer left"
        );
        drop(listed);
        drop(hold);
        drop(place);
    })
}

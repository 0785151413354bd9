//! What the resources say now.

use std::sync::atomic::Ordering;

use millrace_crds::kinds::BalancerMode;

use super::{
    model::{Cluster, Link, Member, Members, Session, Sessions, Stream, Upstream},
    page::Page,
};
use crate::{
    edge::{Reach, UpstreamInfo},
    guests::Viewing,
    linking::{LinkInfo, SessionInfo},
    logging,
    site::Front,
};

/// Who gets streams.
pub(super) fn sessions(front: &Front, page: &Page) -> Sessions {
    let shown = shows_clients(front);
    let doors = front.door.get().map(|door| ("http", door)).into_iter();
    let doors = doors.chain(front.internal.get().map(|door| ("internal", door)));
    let viewers = doors.flat_map(|(name, door)| door.viewers().into_iter().map(move |it| (name, it)));
    let viewers = viewers.map(|(door, viewer)| Session {
        id: format!("{door}-{}", viewer.id),
        path: viewer.path.to_string(),
        client: shown.then(|| viewer.peer.to_string()),
        role: "Client",
        protocol: viewer.protocol.to_owned(),
        state: if viewer.stats.sent() > 0 { "Streaming" } else { "Waiting" },
        bytes: viewer.stats.sent(),
        lag_bytes: Some(viewer.stats.lag()),
        skips: Some(viewer.stats.skips()),
        started: viewer.since.into(),
        ..Session::default()
    });
    let guests = front.guests.viewings();
    let guests = guests.iter().map(|viewing| guest(viewing, shown));
    let links = front.lines().all();
    let balancer = front.edge.is_some();
    let linked = links.iter().flat_map(|link| link.sessions.iter().map(move |it| (link, it)));
    let linked = linked.map(|(link, session)| over_link(link, session, balancer));
    let (total, next, sessions) =
        page.part(viewers.chain(guests).chain(linked).collect(), |session| &session.id);
    Sessions { total, next, sessions }
}

/// Addresses of viewers are for who asked for them, or for those who have shown who they are.
fn shows_clients(front: &Front) -> bool {
    let resolved = front.pod.resolved();
    let operate = resolved.cluster.access.operate.as_ref();
    resolved.cluster.status_page.clients || operate.is_some_and(|grant| !grant.anyone)
}

/// A native client. What is lost on the way to it only it knows.
fn guest(viewing: &Viewing, shown: bool) -> Session {
    let packets = viewing.packets();
    Session {
        id: format!("guest-{}", viewing.id),
        path: viewing.path.clone(),
        client: shown.then(|| viewing.peer.to_string()),
        role: "Client",
        protocol: "millrace".to_owned(),
        state: if packets > 0 { "Streaming" } else { "Waiting" },
        bytes: viewing.bytes(),
        packets: Some(packets),
        skips: Some(viewing.skips()),
        started: viewing.since.into(),
        ..Session::default()
    }
}

fn over_link(link: &LinkInfo, session: &SessionInfo, receives: bool) -> Session {
    let stats = &session.stats;
    let (packets, bytes) = if receives {
        (stats.packets_received, stats.bytes_received)
    } else {
        (stats.packets_sent, stats.bytes_sent)
    };
    let (packets, bytes) = session.tally.as_ref().map_or((packets, bytes), |tally| {
        (tally.packets.load(Ordering::Relaxed), tally.bytes.load(Ordering::Relaxed))
    });
    Session {
        id: format!("link-{}", session.id),
        path: session.path.to_string(),
        client: Some(link.address.to_string()),
        role: link.peer.name(),
        protocol: "millrace".to_owned(),
        state: if packets > 0 { "Streaming" } else { "Waiting" },
        bytes,
        packets: Some(packets),
        lost: receives.then_some(stats.lost),
        jitter_ms: session.tally.as_ref().map(|tally| tally.jitter() / 1000.0),
        lag_bytes: None,
        skips: None,
        started: session.since.into(),
    }
}

/// What there is in the Cluster, as this media pod knows it.
pub(super) fn cluster(front: &Front, page: &Page) -> Cluster {
    let resolved = front.pod.resolved();
    let shop = front.pod.shop();
    let own = shop.streams.load();
    let here = own.values().map(|stream| Stream {
        path: stream.spec().path.clone(),
        state: "Here",
        ..Stream::default()
    });
    let elsewhere = shop.directory.load();
    let elsewhere = elsewhere.streams.keys().map(|path| Stream {
        path: path.clone(),
        state: "Live",
        ..Stream::default()
    });
    let mut all: Vec<Stream> = here.chain(elsewhere).collect();
    all.extend(front.edge.iter().flat_map(|edge| edge.owners()).map(|(path, owner, live)| Stream {
        path: path.to_string(),
        feed: Some(owner.feed.to_string()),
        owner: Some(owner.holder.to_string()),
        epoch: Some(owner.epoch.get()),
        state: if live { "Live" } else { "Orphaned" },
    }));
    all.extend(front.edge.iter().flat_map(|edge| edge.beyond()).map(|path| Stream {
        path: path.to_string(),
        state: "Beyond",
        ..Stream::default()
    }));
    let (total, next, streams) = page.part(all, |stream| &stream.path);
    let status = front.status(false);
    let load = front.edge.as_ref().map(|edge| edge.load());
    Cluster {
        name: resolved.cluster.name.clone(),
        pod: status.host,
        role: if front.edge.is_some() { "Balancer" } else { "Server" },
        version: logging::VERSION.to_owned(),
        revision: status.configuration.revision,
        started: status.started,
        draining: shop.is_draining(),
        sessions: load.map_or(status.totals.viewers, |load| u64::from(load.sessions)),
        bits_per_second: load.map_or(status.totals.bitrate_out_bps, |load| load.bits_per_second),
        links: front.lines().all().len(),
        mode: match resolved.cluster.balancers.mode {
            BalancerMode::Relay => "Relay",
            BalancerMode::Redirect => "Redirect",
        },
        max_connections: resolved.cluster.limits.connections,
        upstreams: front.edge.iter().flat_map(|edge| edge.upstream_clusters()).map(upstream).collect(),
        loops_refused: front.edge.as_ref().map_or(0, |edge| edge.loops_refused()),
        total,
        next,
        streams,
    }
}

fn upstream(info: UpstreamInfo) -> Upstream {
    let (state, reason) = match info.reach {
        Reach::Dialling => ("Dialling", None),
        Reach::Up => ("Linked", None),
        Reach::Away(why) => ("Away", Some(why)),
    };
    Upstream {
        name: info.name,
        url: info.url,
        state,
        reason,
        sessions: info.sessions,
        sessions_total: info.sessions_total,
        failures: info.failures,
        bytes_received: info.bytes,
        loops_refused: info.loops,
    }
}

/// Other members.
pub(super) fn members(front: &Front) -> Members {
    let links = front.lines().all();
    let linked = links.iter().map(|link| Member {
        name: link.name.clone(),
        role: link.peer.name(),
        address: link.address.to_string(),
        state: "Linked",
        link: Some(self::link(link)),
    });
    let told = front.edge.as_ref().map(|edge| edge.balancers());
    let told = told.iter().flat_map(|edges| &edges.edges).map(|edge| Member {
        name: edge.name.clone(),
        role: "Balancer",
        address: edge.link.clone(),
        state: if edge.open { "Open" } else { "Closed" },
        link: None,
    });
    let members: Vec<Member> = linked.chain(told).collect();
    Members { total: members.len(), members }
}

fn link(link: &LinkInfo) -> Link {
    let stats = &link.stats;
    Link {
        id: link.id,
        started: link.since.into(),
        sessions: link.sessions.len(),
        silence_ms: link.silence,
        rtt_ms: stats.avg_latency,
        jitter_ms: stats.jitter,
        bytes_sent: stats.bytes_sent,
        bytes_received: stats.bytes_received,
        packets_sent: stats.packets_sent,
        packets_received: stats.packets_received,
        lost: stats.lost,
        replayed: stats.replayed,
        refused: stats.complaints,
    }
}

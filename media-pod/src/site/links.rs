//! Figures of links, and what the status page shows of them.

use millrace_status::LinkStatus;
use prometheus::proto::{MetricFamily, MetricType};

use super::{family, pair};
use crate::linking::{LinkInfo, Peer};

/// Adds their figures: a series for each link that is up.
pub(super) fn metrics(to: &mut Vec<MetricFamily>, links: &[LinkInfo]) {
    let (counter, gauge) = (MetricType::COUNTER, MetricType::GAUGE);
    let count = |peer| links.iter().filter(|link| link.peer == peer).count() as f64;
    let of = [Peer::Server, Peer::Balancer, Peer::Upstream]
        .map(|peer| (vec![pair("role", peer.name())], count(peer)));
    family(to, "millrace_links", "Links that are up, by what the other end is.", gauge, of);
    let mut each = |name: &str, help: &str, kind: MetricType, value: fn(&LinkInfo) -> f64| {
        let label = |link: &LinkInfo| vec![pair("link", &link.id.to_string()), pair("peer", &link.name)];
        family(to, name, help, kind, links.iter().map(|link| (label(link), value(link))));
    };
    each("millrace_link_sessions", "Streams that flow on the link.", gauge, |link| {
        link.sessions.len() as f64
    });
    each("millrace_link_sent_bytes_total", "Bytes sent, headers included.", counter, |link| {
        link.stats.bytes_sent as f64
    });
    each("millrace_link_received_bytes_total", "Bytes received, headers included.", counter, |link| {
        link.stats.bytes_received as f64
    });
    each("millrace_link_sent_packets_total", "Packets sent.", counter, |link| link.stats.packets_sent as f64);
    each("millrace_link_received_packets_total", "Packets received.", counter, |link| {
        link.stats.packets_received as f64
    });
    each("millrace_link_lost_packets_total", "Packets that did not come.", counter, |link| {
        link.stats.lost as f64
    });
    each(
        "millrace_link_replayed_packets_total",
        "Packets that came twice, and were refused.",
        counter,
        |link| link.stats.replayed as f64,
    );
    each("millrace_link_refused_total", "What this end said was wrong.", counter, |link| {
        link.stats.complaints as f64
    });
    each("millrace_link_rtt_seconds", "There and back, on average.", gauge, |link| {
        link.stats.avg_latency / 1000.0
    });
    each("millrace_link_rtt_jitter_seconds", "How much that varies.", gauge, |link| {
        link.stats.jitter / 1000.0
    });
    each("millrace_link_silence_seconds", "How long ago something was heard.", gauge, |link| {
        link.silence as f64 / 1000.0
    });
}

/// What the status page shows of them.
pub(super) fn status(links: &[LinkInfo]) -> Vec<LinkStatus> {
    let status = |link: &LinkInfo| LinkStatus {
        peer: link.name.clone(),
        role: link.peer.name().to_owned(),
        address: link.address.to_string(),
        connected_at: link.since.into(),
        sessions: link.sessions.len() as u64,
        bytes_sent: link.stats.bytes_sent,
        bytes_received: link.stats.bytes_received,
        packets_lost: link.stats.lost,
        refused: link.stats.complaints + link.stats.replayed,
        rtt_ms: link.stats.avg_latency,
        jitter_ms: link.stats.jitter,
        silence_ms: link.silence,
    };
    links.iter().map(status).collect()
}

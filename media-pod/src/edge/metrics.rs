//! Figures of a balancer.

use std::sync::atomic::{AtomicU64, Ordering};

use millrace_link::Code;
use prometheus::proto::{MetricFamily, MetricType};

use super::{Counts, Edge, count};
use crate::site::{family, pair};

/// Why content was refused, in the order in which that is counted.
const REASONS: [&str; 5] = ["unsigned", "wrong signature", "alien", "older", "broken"];

/// What is counted: the name, what it says, and where it is.
type Counted = (&'static str, &'static str, fn(&Counts) -> &AtomicU64);

const COUNTERS: &[Counted] = &[
    ("millrace_edge_upstreams_total", "Sessions with server pods that were begun.", |it| &it.sessions),
    ("millrace_edge_upstream_failures_total", "Sessions that could not be begun.", |it| &it.session_failures),
    ("millrace_edge_received_bytes_total", "Bytes of content packets that were received.", |it| &it.bytes_in),
    ("millrace_edge_received_packets_total", "Content packets that were received.", |it| &it.packets_in),
    (
        "millrace_edge_generation_switches_total",
        "Times that viewers went on with another run or owner of a stream.",
        |it| &it.generations,
    ),
    ("millrace_edge_announcements_refused_total", "Announcements that were refused.", |it| {
        &it.announcements_refused
    }),
    ("millrace_edge_handshakes_failed_total", "Connections that did not become links.", |it| {
        &it.handshakes_failed
    }),
    ("millrace_edge_fences_refused_total", "Epochs that the operator told and that are none.", |it| {
        &it.fences_refused
    }),
    ("millrace_edge_turned_away_total", "Viewers for whom there was no room.", |it| &it.turned_away),
    ("millrace_edge_redirected_total", "Viewers that were sent to another balancer.", |it| &it.redirected),
    (
        "millrace_edge_publish_sessions_total",
        "Sessions with server pods through which something was published.",
        |it| &it.publish_sessions,
    ),
    ("millrace_edge_published_bytes_total", "Bytes that publishers sent.", |it| &it.published),
    (
        "millrace_edge_publish_dropped_bytes_total",
        "Bytes of those that no server pod got, because none had the feed.",
        |it| &it.publish_dropped,
    ),
    ("millrace_edge_access_asked_total", "Times that an owner was asked who may watch.", |it| &it.asked),
];

impl Edge {
    /// Counts content that was refused with `code`.
    pub(super) fn refused(&self, code: Code) {
        let reason = match code {
            Code::SIGN_NOT_PRESENT => 0,
            Code::SIGN_INCORRECT => 1,
            Code::SIGN_ALIEN => 2,
            _ => 4,
        };
        self.counts.refused.get(reason).map(count).unwrap_or_default();
    }

    /// Counts content of an owner that is not the newest.
    pub(super) fn older(&self) {
        self.counts.refused.get(3).map(count).unwrap_or_default();
    }

    /// Adds its figures.
    pub fn metrics(&self, to: &mut Vec<MetricFamily>) {
        let (counter, gauge) = (MetricType::COUNTER, MetricType::GAUGE);
        let [links, paths, orphans] = self.registry.sizes();
        let upstreams = self.registry.upstreams();
        let flowing = upstreams.iter().filter(|upstream| *upstream.flowing.borrow()).count();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let publishers = of(&self.counts.publishers);
        let viewers = (self.viewers() as u64).saturating_sub(publishers);
        let seen = [
            ("millrace_edge_links", "Links from server pods that are up.", gauge, links as u64),
            (
                "millrace_edge_paths",
                "Streams, and places to publish to, that are known.",
                gauge,
                paths as u64,
            ),
            ("millrace_edge_orphans", "Those that no server pod has at the moment.", gauge, orphans as u64),
            ("millrace_edge_upstreams", "Sessions with server pods now.", gauge, flowing as u64),
            ("millrace_edge_viewers", "Viewers now.", gauge, viewers),
            ("millrace_edge_publishers", "Publishers now; they are none of the viewers.", gauge, publishers),
            ("millrace_edge_sent_bytes_total", "Bytes sent to viewers.", counter, self.sent()),
        ];
        let totals = COUNTERS.iter().map(|(name, help, at)| (*name, *help, counter, of(at(&self.counts))));
        for (name, help, kind, value) in seen.into_iter().chain(totals) {
            family(to, name, help, kind, [(Vec::new(), value as f64)]);
        }
        let refused = REASONS.iter().zip(&self.counts.refused);
        let refused = refused.map(|(reason, n)| (vec![pair("reason", reason)], of(n) as f64));
        family(to, "millrace_edge_content_refused_total", "Content that was refused.", counter, refused);
        self.upstream_metrics(to);
    }
}

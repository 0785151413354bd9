//! Figures of a balancer.

use std::sync::atomic::{AtomicU64, Ordering};

use millrace_link::Code;
use prometheus::proto::{MetricFamily, MetricType};

use super::{Edge, count};
use crate::site::{family, pair};

/// Why content was refused, in the order in which that is counted.
const REASONS: [&str; 5] = ["unsigned", "wrong signature", "alien", "older", "broken"];

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
        let mut one = |name: &str, help: &str, kind: MetricType, value: u64| {
            family(to, name, help, kind, [(Vec::new(), value as f64)]);
        };
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [links, paths, orphans] = self.registry.sizes();
        let upstreams = self.registry.upstreams();
        let flowing = upstreams.iter().filter(|upstream| *upstream.flowing.borrow()).count();
        let counts = &self.counts;
        one("millrace_edge_links", "Links from server pods that are up.", gauge, links as u64);
        one("millrace_edge_paths", "Streams that are known.", gauge, paths as u64);
        one("millrace_edge_orphans", "Those that no server pod has at the moment.", gauge, orphans as u64);
        one("millrace_edge_upstreams", "Sessions with server pods now.", gauge, flowing as u64);
        one("millrace_edge_viewers", "Viewers now.", gauge, self.viewers() as u64);
        one(
            "millrace_edge_upstreams_total",
            "Sessions with server pods that were begun.",
            counter,
            of(&counts.sessions),
        );
        one(
            "millrace_edge_upstream_failures_total",
            "Sessions that could not be begun.",
            counter,
            of(&counts.session_failures),
        );
        one(
            "millrace_edge_received_bytes_total",
            "Bytes of content packets that were received.",
            counter,
            of(&counts.bytes_in),
        );
        one(
            "millrace_edge_received_packets_total",
            "Content packets that were received.",
            counter,
            of(&counts.packets_in),
        );
        one("millrace_edge_sent_bytes_total", "Bytes sent to viewers.", counter, self.registry.bytes_out());
        one(
            "millrace_edge_generation_switches_total",
            "Times that viewers went on with another run or owner of a stream.",
            counter,
            of(&counts.generations),
        );
        one(
            "millrace_edge_announcements_refused_total",
            "Announcements that were refused.",
            counter,
            of(&counts.announcements_refused),
        );
        one(
            "millrace_edge_fences_refused_total",
            "Epochs that the operator told and that are none.",
            counter,
            of(&counts.fences_refused),
        );
        one(
            "millrace_edge_turned_away_total",
            "Viewers for whom there was no room.",
            counter,
            of(&counts.turned_away),
        );
        one(
            "millrace_edge_redirected_total",
            "Viewers that were sent to another balancer.",
            counter,
            of(&counts.redirected),
        );
        one(
            "millrace_edge_access_asked_total",
            "Times that an owner was asked who may watch.",
            counter,
            of(&counts.asked),
        );
        let refused = REASONS.iter().zip(&counts.refused);
        let refused = refused.map(|(reason, n)| (vec![pair("reason", reason)], of(n) as f64));
        family(to, "millrace_edge_content_refused_total", "Content that was refused.", counter, refused);
    }
}

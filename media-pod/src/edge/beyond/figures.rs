//! Figures of upstreams.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use millrace_report::upstream::{UpstreamLink, bounded};
use prometheus::proto::{LabelPair, MetricFamily, MetricType};

use super::{super::Edge, Uplink, uplink::Reach};
use crate::{
    logging::mask,
    site::{family, pair},
};

/// An upstream, as it is now.
#[derive(Clone, Debug)]
pub struct UpstreamInfo {
    /// As the Cluster calls it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Whether it can be asked.
    pub reach: Reach,
    /// Streams that flow.
    pub sessions: usize,
    /// Sessions that were begun.
    pub sessions_total: u64,
    /// Sessions that could not be begun.
    pub failures: u64,
    /// Bytes of content packets that came.
    pub bytes: u64,
    /// Questions that it refused because they went round or too far.
    pub loops: u64,
    /// How often its link was lost.
    pub lost: u64,
}

impl Uplink {
    fn info(&self) -> UpstreamInfo {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UpstreamInfo {
            name: self.config.name.to_string(),
            url: self.config.url.clone(),
            reach: self.reach(),
            sessions: self.sessions(),
            sessions_total: of(&self.counts.sessions),
            failures: of(&self.counts.failures),
            bytes: of(&self.counts.bytes),
            loops: of(&self.counts.loops),
            lost: of(&self.counts.lost),
        }
    }
}

impl Edge {
    /// Paths that are pulled from other Clusters, or were asked for lately.
    pub fn beyond(&self) -> Vec<Arc<str>> {
        self.beyond.lock().keys().cloned().collect()
    }

    /// Requests of other Clusters that went round or too far, refused here.
    pub fn loops_refused(&self) -> u64 {
        self.beyond.refused.load(Ordering::Relaxed)
    }

    /// The upstreams, in their order.
    pub fn upstream_clusters(&self) -> Vec<UpstreamInfo> {
        self.beyond.uplinks.load().iter().map(|uplink| uplink.info()).collect()
    }

    /// The links to them, as an operator is told of them.
    pub(in super::super) fn upstream_links(&self) -> BTreeMap<String, UpstreamLink> {
        let link = |uplink: &Arc<Uplink>| match uplink.reach() {
            Reach::Up => UpstreamLink::up(),
            Reach::Dialling => UpstreamLink::away("it has not answered yet"),
            Reach::Away(why) => UpstreamLink::away(&mask::text(&why)),
        };
        let uplinks = self.beyond.uplinks.load();
        bounded(uplinks.iter().map(|uplink| (uplink.config.name.to_string(), link(uplink))).collect())
    }

    /// Adds their figures.
    pub(in super::super) fn upstream_metrics(&self, to: &mut Vec<MetricFamily>) {
        let (counter, gauge) = (MetricType::COUNTER, MetricType::GAUGE);
        let all = self.upstream_clusters();
        let name = |info: &UpstreamInfo| -> Vec<LabelPair> { vec![pair("upstream", &info.name)] };
        let mut each = |metric: &str, help: &str, kind: MetricType, value: fn(&UpstreamInfo) -> f64| {
            family(to, metric, help, kind, all.iter().map(|info| (name(info), value(info))));
        };
        each("millrace_upstream_up", "1 while there is a link to this upstream Cluster.", gauge, |it| {
            f64::from(it.reach == Reach::Up)
        });
        each("millrace_upstream_sessions", "Streams that are pulled from it.", gauge, |it| {
            it.sessions as f64
        });
        each("millrace_upstream_sessions_total", "Sessions with it that were begun.", counter, |it| {
            it.sessions_total as f64
        });
        each(
            "millrace_upstream_failures_total",
            "Sessions with it that could not be begun.",
            counter,
            |it| it.failures as f64,
        );
        each(
            "millrace_upstream_received_bytes_total",
            "Bytes of content that came from it.",
            counter,
            |it| it.bytes as f64,
        );
        each("millrace_upstream_lost_total", "Times that the link to it was lost.", counter, |it| {
            it.lost as f64
        });
        each(
            "millrace_upstream_loops_total",
            "Requests that it refused because they went round or too far.",
            counter,
            |it| it.loops as f64,
        );
        family(
            to,
            "millrace_loops_refused_total",
            "Requests of other Clusters that went round or too far, refused here.",
            counter,
            [(Vec::new(), self.loops_refused() as f64)],
        );
    }
}

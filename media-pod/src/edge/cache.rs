//! What is below streams, as far as it is kept here for all who ask.

use std::sync::Arc;

use millrace_crds::resolved::FinalCluster;
use millrace_http::{CacheResult, EdgeCache, Scope};
use prometheus::proto::{MetricFamily, MetricType};

use super::{Edge, registry::Owner};
use crate::site::{family, pair};

/// The most bytes that are kept, as the Cluster says.
pub(super) fn limit(cluster: &FinalCluster) -> u64 {
    cluster.balancers.edge_cache.memory.get()
}

/// Where answers of `owner` are kept. Those of another one, or of an earlier epoch, are not given out.
pub(super) fn scope(cache: &Arc<EdgeCache>, owner: &Owner, ask: bool) -> Scope {
    let owner = format!("{} {}", owner.epoch, owner.peer.holder);
    Scope { cache: cache.clone(), owner: owner.into(), open: !ask }
}

impl Edge {
    /// Adds the figures of its cache.
    pub fn cache_metrics(&self, to: &mut Vec<MetricFamily>) {
        let figures = self.cache.figures();
        let (counter, gauge) = (MetricType::COUNTER, MetricType::GAUGE);
        let mut one = |name: &str, help: &str, kind: MetricType, value: u64| {
            family(to, name, help, kind, [(Vec::new(), value as f64)]);
        };
        one("millrace_edge_cache_limit_bytes", "Memory that the cache may use.", gauge, figures.limit);
        one(
            "millrace_edge_cache_bytes",
            "Memory that the cache uses, with what is being fetched and sent.",
            gauge,
            figures.bytes,
        );
        one("millrace_edge_cache_entries", "What the cache keeps.", gauge, figures.entries);
        one(
            "millrace_edge_cache_evictions_total",
            "What had to leave the cache for others, or for a smaller limit.",
            counter,
            figures.evictions,
        );
        let results = CacheResult::ALL.iter().zip(figures.requests);
        let results = results.map(|(result, n)| (vec![pair("result", result.name())], n as f64));
        family(
            to,
            "millrace_edge_cache_requests_total",
            "Requests for what is below a stream, by how they were answered.",
            counter,
            results,
        );
    }
}

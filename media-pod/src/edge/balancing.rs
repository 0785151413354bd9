//! What the operator and this balancer tell each other.

use std::{sync::Arc, time::Duration};

use millrace_fencing::directory::Refused;
use millrace_report::{
    link::Members,
    message::{Balancing, Edges, Fence},
};
use tokio::{sync::watch, time};

use super::{Edge, count};
use crate::member::Balancer;

/// Between two looks at what goes out.
const LOOK: Duration = Duration::from_secs(1);

impl Balancer for Edge {
    fn balancing(&self) -> Balancing {
        let load = self.load();
        Balancing {
            sessions: load.sessions,
            bits_per_second: load.bits_per_second,
            upstreams: Some(self.upstream_links()),
            ..self.registry.balancing()
        }
    }

    fn fenced(&self, fences: Vec<Fence>) {
        for fence in fences {
            match self.registry.fence(&fence, self.identity.trust()) {
                Ok(()) => {}
                // A newer one is known: whole tables are told to whoever connects again.
                Err(refused @ Refused::Older { .. }) => {
                    tracing::debug!(feed = fence.feed, %refused, "an epoch that is over was told");
                }
                Err(refused) => {
                    count(&self.counts.fences_refused);
                    tracing::warn!(feed = fence.feed, %refused, "what the operator says of an epoch is refused");
                }
            }
        }
    }

    fn edges(&self, edges: Arc<Edges>) {
        self.others.take(edges);
    }

    fn introduced(&self, members: Arc<Members>) {
        self.identity.introduce(&members);
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.registry.changes()
    }
}

impl Edge {
    /// Bytes that went out to viewers.
    pub(super) fn sent(&self) -> u64 {
        self.registry.bytes_out() + self.beyond.bytes_out()
    }

    /// Measures what goes out, for ever.
    pub(super) async fn measure(self: Arc<Self>) {
        let (mut before, mut at) = (self.sent(), time::Instant::now());
        loop {
            time::sleep(LOOK).await;
            let (bytes, now) = (self.sent(), time::Instant::now());
            let millis = now.duration_since(at).as_millis().max(1) as u64;
            let rate = bytes.saturating_sub(before).saturating_mul(8000) / millis;
            self.rate.store(rate, std::sync::atomic::Ordering::Relaxed);
            (before, at) = (bytes, now);
        }
    }
}

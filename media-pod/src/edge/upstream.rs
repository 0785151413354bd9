//! One path on this balancer: its own channel, and the one session that fills it while somebody watches.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicUsize},
    time::{Duration, SystemTime},
};

use millrace_bus::{Channel, GopCache};
use millrace_http::Refusal;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

use super::{Edge, beyond, follow::Following};
use crate::hold::Demand;

/// A session is kept for this long after the last viewer.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Upstream {
    pub path: Arc<str>,
    pub channel: Arc<Channel>,
    pub viewers: AtomicUsize,
    pub demand: Demand,
    /// Who has the path may be another one, or serve it in another way.
    pub news: Notify,
    /// What comes is what happens now, not what its origin had kept.
    pub caught_up: watch::Sender<bool>,
    /// Why nothing comes, if that was said.
    pub refused: watch::Sender<Option<Refusal>>,
    /// Whether there is a session now.
    pub flowing: watch::Sender<bool>,
    pub edge: Weak<Edge>,
    /// When somebody asked for it first.
    since: SystemTime,
    task: Mutex<Option<AbortHandle>>,
}

impl Upstream {
    /// Follows `path` from now on, whenever somebody watches.
    pub fn start(path: Arc<str>, edge: &Arc<Edge>) -> Arc<Self> {
        let upstream = Arc::new(Self {
            channel: Channel::new(path.clone(), GopCache::default()),
            path,
            viewers: AtomicUsize::new(0),
            demand: Demand::default(),
            news: Notify::new(),
            caught_up: watch::Sender::new(false),
            refused: watch::Sender::new(None),
            flowing: watch::Sender::new(false),
            edge: Arc::downgrade(edge),
            since: SystemTime::now(),
            task: Mutex::default(),
        });
        let task = tokio::spawn(upstream.clone().keep(edge.clone())).abort_handle();
        *upstream.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        upstream
    }

    /// When somebody asked for it first.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// Its viewers are let go.
    pub fn close(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        self.channel.close();
    }

    async fn keep(self: Arc<Self>, edge: Arc<Edge>) {
        if !beyond::keep(&self, &edge).await {
            return;
        }
        let mut following = Following::new(self.clone(), edge);
        loop {
            self.demand.wanted().await;
            tokio::select! {
                () = self.demand.unwanted(LINGER) => {}
                () = following.follow() => {}
            }
            following.rest();
        }
    }
}

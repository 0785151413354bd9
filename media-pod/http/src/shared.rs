//! What all connections of a front door share.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use http::StatusCode;
use millrace_bus::egress::Egress;
use tokio::sync::{Notify, Semaphore, watch};

use crate::{
    Options, Refused, Site,
    counters::{Counters, count},
    summary::{EVERY, Line, Summary},
    viewers::Viewers,
};

/// Refusals under way at once.
const REFUSALS: usize = 64;

/// How far the front door's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Open,
    /// Nobody comes in, what is under way goes on.
    Draining,
    /// Nothing goes on.
    Closed,
}

pub(crate) struct Shared {
    pub site: Arc<dyn Site>,
    pub egress: Arc<Egress>,
    pub options: Options,
    pub counters: Counters,
    pub viewers: Arc<Viewers>,
    pub phase: watch::Sender<Phase>,
    pub refusals: Semaphore,
    left: Notify,
    unknown_paths: Summary,
    too_many: Summary,
    accept_errors: Summary,
}

impl Shared {
    pub fn new(options: Options, site: Arc<dyn Site>, egress: Arc<Egress>) -> Arc<Self> {
        Arc::new(Self {
            site,
            egress,
            options,
            counters: Counters::default(),
            viewers: Arc::default(),
            phase: watch::Sender::new(Phase::Open),
            refusals: Semaphore::new(REFUSALS),
            left: Notify::new(),
            unknown_paths: Summary::new(),
            too_many: Summary::new(),
            accept_errors: Summary::new(),
        })
    }

    /// Done when the front door is in this phase or a later one.
    pub async fn reached(&self, phase: Phase) {
        let mut phases = self.phase.subscribe();
        // The sender is in `self`: waiting cannot fail.
        let _ = phases.wait_for(|now| *now >= phase).await;
    }

    /// Takes one of the places that there are; `None` where they are all taken.
    pub fn enter(self: &Arc<Self>) -> Option<Place> {
        let most = self.options.max_connections as u64;
        let open = &self.counters.open;
        open.fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| (open < most).then_some(open + 1))
            .ok()
            .map(|_| Place(self.clone()))
    }

    /// Done when no connection is open.
    pub async fn empty(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.counters.open.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }

    /// Counts a response; `path` as it was asked for.
    pub fn answered(&self, status: StatusCode, peer: SocketAddr, path: &str) {
        self.counters.response(status);
        if status == StatusCode::NOT_FOUND
            && let Some(line) = self.unknown_paths.add(peer, path, Instant::now())
        {
            log_unknown_path(&line);
        }
    }

    pub fn refused(&self, peer: SocketAddr, why: Refused) {
        let counters = &self.counters;
        count(match why {
            Refused::TooManyConnections => &counters.refused,
            Refused::Handshake => &counters.bad_handshakes,
            _ => &counters.bad_heads,
        });
        if why == Refused::TooManyConnections {
            if let Some(line) = self.too_many.add(peer, "", Instant::now()) {
                self.log_too_many(&line);
            }
        } else {
            tracing::debug!(%peer, "turned away: {why}");
        }
        self.site.refused(peer, why);
    }

    pub fn accept_failed(&self, address: SocketAddr, error: &std::io::Error) {
        if let Some(line) = self.accept_errors.add(address, &error.to_string(), Instant::now()) {
            log_accept_error(&line);
        }
    }

    /// Logs what was held back, as long as somebody else holds `shared`.
    pub async fn summarize(shared: Weak<Self>) {
        loop {
            tokio::time::sleep(EVERY / 10).await;
            let Some(shared) = shared.upgrade() else { return };
            let now = Instant::now();
            shared.unknown_paths.look(now).iter().for_each(log_unknown_path);
            shared.too_many.look(now).iter().for_each(|line| shared.log_too_many(line));
            shared.accept_errors.look(now).iter().for_each(log_accept_error);
        }
    }

    fn log_too_many(&self, line: &Line) {
        tracing::warn!(
            count = line.count, last = %line.peer, allowed = self.options.max_connections,
            "turned away: too many connections"
        );
    }
}

fn log_unknown_path(line: &Line) {
    tracing::info!(count = line.count, peer = %line.peer, path = ?line.detail, "not found");
}

fn log_accept_error(line: &Line) {
    tracing::error!(count = line.count, address = %line.peer, error = line.detail, "cannot accept connections");
}

/// A connection's place, until dropped.
pub(crate) struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.counters.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.left.notify_waiters();
        }
    }
}

/// The time in which a peer must take a last response.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(2);

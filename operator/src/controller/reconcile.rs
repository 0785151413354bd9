//! The controller's loop, and what it does for one Cluster.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::watch,
    task::{self, JoinSet},
    time,
};
use tracing::{debug, error, info, warn};

use super::{
    Gathered, Teller, Writer, gather,
    queue::{Job, Outcome, Queue},
    tell::about,
};
use crate::{
    api::ErrorClass,
    build::rollout,
    decide::decide,
    decision::{Decision, Event, Status},
    failover::{
        guards::Guards,
        hands::{Founds, Real},
    },
    key::ClusterKey,
    leader::Term,
    link::{Link, Wanted},
    metrics::{Ended, Metrics},
    view::{Settings, View},
    watch::Stores,
};

/// The most Clusters that are looked at side by side.
const AT_ONCE: usize = 8;
/// The most status and Events of one Cluster that are written side by side.
const TELL_AT_ONCE: usize = 16;
/// Without a change a Cluster is looked at this often; it costs no request.
const RESYNC: Duration = Duration::from_mins(10);
/// How long those that work may go on when the process is told to stop.
const STOP_WITHIN: Duration = Duration::from_millis(500);
/// How often it is looked whether the watches have seen everything once.
const LISTED: Duration = Duration::from_millis(20);
/// A media pod looks for replicas of the operator every two seconds, and names are cached for five: one that was not
/// heard so long after a replica has started is silent.
const DEAF: Duration = Duration::from_secs(8);

/// What the controller is made of.
pub struct Parts {
    /// What is watched.
    pub stores: Arc<Stores>,
    /// What media pods say.
    pub link: Arc<Link>,
    /// The operator's settings.
    pub settings: Arc<Settings>,
    /// Whether this replica leads.
    pub term: Arc<Term>,
    /// What is to be looked at.
    pub queue: Arc<Queue<ClusterKey>>,
    /// Writes objects.
    pub writer: Writer,
    /// Writes status and Events.
    pub teller: Teller,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// When this replica began to listen to media pods.
    pub listens_since: Instant,
    /// Who judges who is alive.
    pub guards: Arc<Guards<Real>>,
    /// What they found.
    pub founds: Founds,
}

/// Looks at Clusters while this replica leads.
#[derive(Clone)]
pub struct Controller {
    parts: Arc<Parts>,
}

impl Controller {
    /// Of these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Runs until it is told to stop.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut working = JoinSet::new();
        let leads = self.clone().lead(&mut working);
        tokio::select! {
            () = leads => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        let rest = async { while working.join_next().await.is_some() {} };
        if time::timeout(STOP_WITHIN, rest).await.is_err() {
            debug!("what was under way is given up");
        }
    }

    async fn lead(self, working: &mut JoinSet<()>) {
        let parts = &self.parts;
        let mut leads = parts.term.watch();
        if leads.wait_for(|leads| *leads).await.is_err() {
            return;
        }
        while !parts.stores.is_listed() {
            time::sleep(LISTED).await;
        }
        let all = parts.stores.all_clusters();
        info!(clusters = all.len(), "begins to reconcile");
        for cluster in &all {
            parts.queue.touch(cluster);
        }
        loop {
            while working.len() >= AT_ONCE {
                working.join_next().await;
            }
            let job = tokio::select! {
                job = parts.queue.next() => job,
                Some(_) = working.join_next(), if !working.is_empty() => continue,
            };
            parts.metrics.depth.set(parts.queue.depth() as i64);
            working.spawn(self.clone().work(job));
        }
    }

    async fn work(self, job: Job<ClusterKey>) {
        let parts = &self.parts;
        if let Some(waited) = job.waited {
            parts.metrics.waited(waited);
        }
        let begun = Instant::now();
        let guard = Unfinished { controller: &self, key: Some(&job.key) };
        let (ended, outcome) = self.reconcile(&job.key).await;
        guard.finish(outcome);
        parts.metrics.reconciled(ended, begun.elapsed());
        parts.metrics.clusters.set(parts.stores.clusters.len() as i64);
        debug!(cluster = %job.key, ?ended, ?outcome, ms = begun.elapsed().as_millis() as u64, "reconciled");
    }

    async fn reconcile(&self, key: &ClusterKey) -> (Ended, Outcome) {
        let parts = &self.parts;
        let begun = Instant::now();
        let (seals, mut found) = (parts.guards.seals(), parts.founds.of(key));
        // A leader that is new has heard pods before it has looked once.
        found.guests.extend(parts.guards.with(key, |guard| guard.guests()).unwrap_or_default());
        let Gathered { view, unreadable } =
            match gather(key, &parts.stores, &parts.link, &parts.settings, (&seals, &found)).await {
                Ok(gathered) => gathered,
                Err(error) => {
                    parts.metrics.error(ErrorClass::Other);
                    warn!(cluster = %key, "cannot be looked at: {error}");
                    return (Ended::Failed, Outcome::Failed);
                }
            };
        if is_empty(&view) {
            parts.link.forget(key);
            parts.guards.forget(key);
            parts.founds.forget(key);
            return (Ended::Gone, Outcome::Gone);
        }
        if let Some(wait) = self.deaf(&view) {
            return (Ended::Unchanged, Outcome::Done(Some(wait)));
        }
        parts.metrics.step("gather", begun.elapsed());
        for broken in &unreadable {
            parts.teller.unreadable(&parts.writer, &view.namespace, broken).await;
        }
        let begun = Instant::now();
        // It takes long where there is much, and others must not wait for it.
        let decided = task::spawn_blocking(move || {
            let decision = decide(&view);
            (view, decision)
        });
        let Ok((view, decision)) = decided.await else {
            error!(cluster = %key, "a fault in the operator: deciding has panicked");
            return (Ended::Failed, Outcome::Failed);
        };
        parts.metrics.step("decide", begun.elapsed());
        let begun = Instant::now();
        let ended = self.carry_out(key, &view, decision).await;
        parts.metrics.step("carry_out", begun.elapsed());
        ended
    }

    async fn carry_out(&self, key: &ClusterKey, view: &View, decision: Decision) -> (Ended, Outcome) {
        let parts = &self.parts;
        let Decision { apply, delete, configurations, directories, members, events, status, again, mut plan } =
            decision;
        let namespace = view.namespace.as_str();
        let applied = parts.writer.apply(namespace, apply).await;
        let deleted = parts.writer.delete(namespace, delete).await;
        let kept = configurations.into_iter().filter(|(slot, _)| !applied.lost.contains(slot));
        let configurations = kept.map(|(slot, it)| (slot, Arc::new(it))).collect();
        if parts.term.leads() {
            plan.placed.retain(|slot, _| !applied.lost.contains(slot));
            parts.link.want(key, Wanted { configurations, directories, members });
            parts.guards.plan(key, &plan);
        }
        let told = self.tell(view, status, events).await;
        parts.writer.seen(namespace, &applied).await;
        let failed = applied.failed + deleted.failed + told.failed;
        let refused: Vec<_> = applied.refused.iter().chain(&deleted.refused).collect();
        parts.teller.refused(&parts.writer, view, &refused).await;
        let changed = applied.done + deleted.done + told.written;
        if failed > 0 {
            return (Ended::Failed, Outcome::Failed);
        }
        let again = again.unwrap_or(RESYNC).min(spread(RESYNC)).max(Duration::from_millis(50));
        let ended = match (refused.len(), changed) {
            (1.., _) => Ended::Refused,
            (0, 1..) => Ended::Changed,
            (0, 0) => Ended::Unchanged,
        };
        (ended, Outcome::Done(Some(again)))
    }

    /// Writes status, then the Events of those whose status was written: what was not written is decided again, and
    /// so is its Event.
    async fn tell(&self, view: &View, status: Vec<Status>, events: Vec<Event>) -> Told {
        let parts = &self.parts;
        let writes = stream::iter(status).map(|status| async move {
            let written = parts.teller.status(&parts.writer, view, &status).await;
            let (kind, name) = about(&status);
            (kind, name.to_owned(), written)
        });
        let mut writes = writes.buffer_unordered(TELL_AT_ONCE);
        let mut told = Told::default();
        let mut unwritten: HashSet<(&'static str, String)> = HashSet::new();
        while let Some((kind, name, written)) = writes.next().await {
            match written {
                Ok(true) => told.written += 1,
                Ok(false) => {}
                Err(error) => {
                    warn!(namespace = view.namespace, kind, name, "its status cannot be written: {error}");
                    parts.metrics.error(error.class());
                    told.failed += usize::from(error.class() != ErrorClass::Invalid);
                    unwritten.insert((kind, name));
                }
            }
        }
        let events =
            events.into_iter().filter(|event| !unwritten.contains(&(event.kind, event.name.clone())));
        let records = stream::iter(events).map(|event| async move {
            parts.teller.event(&parts.writer, &view.namespace, &event).await;
        });
        records.buffer_unordered(TELL_AT_ONCE).collect::<Vec<()>>().await;
        told
    }

    /// While media pods may not have found this replica yet, their silence means nothing: how long to wait.
    fn deaf(&self, view: &View) -> Option<Duration> {
        let since = self.parts.listens_since.elapsed();
        let left = DEAF.checked_sub(since)?;
        let all_heard = view
            .pods
            .iter()
            .filter(|pod| rollout::is_ready(pod) && pod.metadata.deletion_timestamp.is_none())
            .all(|pod| pod.metadata.uid.as_ref().is_some_and(|uid| view.reports.contains_key(uid)));
        (!all_heard).then(|| left.min(Duration::from_millis(100)))
    }
}

#[derive(Default)]
struct Told {
    written: usize,
    failed: usize,
}

/// A job that ends without an outcome has failed: nothing stays marked as running.
struct Unfinished<'a> {
    controller: &'a Controller,
    key: Option<&'a ClusterKey>,
}

impl Unfinished<'_> {
    fn finish(mut self, outcome: Outcome) {
        if let Some(key) = self.key.take() {
            self.controller.parts.queue.done(key, outcome);
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.controller.parts.queue.done(key, Outcome::Failed);
        }
    }
}

fn is_empty(view: &View) -> bool {
    view.cluster.is_none()
        && view.feeds.is_empty()
        && view.streams.is_empty()
        && view.rooms.is_empty()
        && view.unreadable.is_empty()
        && view.config_maps.is_empty()
        && view.slot_secrets.is_empty()
        && view.pods.is_empty()
        && view.balancers.is_empty()
        && view.balancers_config.is_none()
        && view.balancers_secret.is_none()
        && view.deployments.is_empty()
        && view.services.is_empty()
        && view.budgets.is_empty()
}

/// Somewhat less, so that not all Clusters come at once.
fn spread(time: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 1000;
    time.mul_f64(1.0 - random as f64 / 5000.0)
}

//! The API server and the status connections, for those who carry out orders.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
    core::PartialObjectMeta,
};
use millrace_crds::kinds::Feed;
use millrace_fencing::{Epoch, PodUid, failover::Why};
use millrace_report::message::{Edges, Fence, Ownership, Vouched};
use serde_json::json;
use tracing::{info, warn};

use super::{
    carry::{Done, Found, Hands, Moved},
    facts::{Facts, PodFacts},
    seal::Seals,
    trouble::Troubles,
    units::Member,
};
use crate::{
    api::ErrorClass,
    controller::{SEEN_WITHIN, Teller, WriteError, Writer},
    decision::{Event, Manager},
    key::ClusterKey,
    labels,
    leader::Term,
    link::Link,
    metrics::Metrics,
    reason::Reason,
    watch::{Stores, Touch, version_of},
};

/// Tries to write over something that changes all the time.
const TRIES: usize = 4;

/// See the module.
pub struct Real {
    /// A client of the API server.
    pub client: Client,
    /// What is watched.
    pub stores: Arc<Stores>,
    /// Whether this replica leads.
    pub term: Arc<Term>,
    /// The status connections.
    pub link: Arc<Link>,
    /// Its own, so that nothing waits behind a reconcile.
    pub writer: Writer,
    /// Records Events.
    pub teller: Teller,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// Has a Cluster looked at.
    pub touch: Touch,
    /// What was found last.
    pub founds: Founds,
    /// What cannot be written.
    pub troubles: Troubles,
}

/// What was found last, of each Cluster.
#[derive(Clone, Debug, Default)]
pub struct Founds(Arc<Mutex<HashMap<ClusterKey, Found>>>);

impl Founds {
    /// Of one Cluster.
    pub fn of(&self, cluster: &ClusterKey) -> Found {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(cluster).cloned().unwrap_or_default()
    }

    /// Nothing is left of it.
    pub fn forget(&self, cluster: &ClusterKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
    }

    /// Whether people are to be told something else; and the sums of all Clusters.
    fn put(&self, cluster: &ClusterKey, found: &Found) -> (bool, [usize; 3]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.insert(cluster.clone(), found.clone()).unwrap_or_default();
        let drains = |found: &Found| -> Vec<(PodUid, usize, bool)> {
            let late = |seconds: u64| seconds >= crate::failover::PATIENCE.as_secs();
            found.drains.iter().map(|(pod, (left, since))| (pod.clone(), *left, late(*since))).collect()
        };
        let news = before.paused.is_some() != found.paused.is_some()
            || drains(&before) != drains(found)
            || before.waits != found.waits
            || before.guests != found.guests;
        let sum = |of: fn(&Found) -> usize| all.values().map(of).sum();
        (news, [sum(|it| it.leases), sum(|it| it.silent), sum(|it| it.drains.len())])
    }
}

impl std::fmt::Debug for Real {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Real").finish_non_exhaustive()
    }
}

impl Hands for Real {
    fn leads(&self) -> bool {
        self.term.leads()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn facts(&self, cluster: &ClusterKey, seals: &Seals) -> Option<Facts> {
        let stores = &self.stores;
        if !stores.is_listed() {
            return None;
        }
        let mut facts = Facts::default();
        for lease in stores.leases.of(cluster).into_iter().filter_map(|item| item.object.ok()) {
            facts.leases.insert(lease.name_any(), seals.read(&lease));
        }
        for feed in stores.feeds.of(cluster).into_iter().filter_map(|item| item.object.ok()) {
            let uid = feed.metadata.uid.as_ref().and_then(|uid| uid.parse().ok());
            if let Some((uid, epoch)) = uid.zip(epoch(&feed)) {
                facts.statuses.insert(uid, epoch);
            }
        }
        for pod in stores.pods.of(cluster).into_iter().filter_map(|item| item.object.ok()) {
            if let Some((uid, it)) = PodFacts::of(&pod, |node| stores.nodes.is_cordoned(node)) {
                let pods = if labels::is_balancer(&pod) { &mut facts.balancers } else { &mut facts.servers };
                pods.insert(uid, it);
            }
        }
        let there = stores.clusters.get(&cluster.namespace, &cluster.name).and_then(|item| item.object.ok());
        facts.resume =
            there.is_some_and(|it| it.annotations().get(labels::FAILOVER).is_some_and(|it| it == "resume"));
        Some(facts)
    }

    async fn reserve(&self, cluster: &ClusterKey, feed: &Member, from: Option<Epoch>, to: Epoch) -> Done {
        let written = self.set_epoch(cluster, feed, from, to).await;
        let what = format!("Feed {}: its epoch cannot be reserved", feed.name);
        self.seen(cluster, written, &what, |version| {
            self.stores.feeds.reaches(&cluster.namespace, version, SEEN_WITHIN)
        })
        .await
    }

    async fn write_lease(&self, cluster: &ClusterKey, lease: Lease, version: Option<&str>) -> Done {
        let name = lease.name_any();
        let written = self.put_lease(cluster, lease, version).await;
        self.seen(cluster, written, &format!("the Lease {name} cannot be written"), |version| {
            self.stores.leases.reaches(&cluster.namespace, version, SEEN_WITHIN)
        })
        .await
    }

    fn reconcile(&self, cluster: &ClusterKey) {
        (self.touch)(cluster.clone());
    }

    async fn delete_pod(&self, cluster: &ClusterKey, pod: &PodUid, name: &str) -> bool {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &cluster.namespace);
        let preconditions = Preconditions { uid: Some(pod.to_string()), resource_version: None };
        let parameters = DeleteParams::background().preconditions(preconditions);
        match self.writer.ask(api.delete(name, &parameters)).await {
            Ok(_) => {
                info!(%cluster, pod = name, "is gone and owns nothing: deleted");
                true
            }
            Err(error) => matches!(error.class(), ErrorClass::NotFound | ErrorClass::Conflict),
        }
    }

    fn own(&self, pod: &PodUid, ownership: Arc<Ownership>) {
        self.link.server().own(pod.as_str(), ownership);
    }

    fn fence(&self, balancer: &PodUid, fences: Vec<Fence>) {
        if !fences.is_empty() {
            self.link.server().fence(balancer.as_str(), fences);
        }
    }

    fn vouch(&self, pod: &PodUid, vouched: Vouched) {
        self.link.server().vouch(pod.as_str(), vouched);
    }

    fn edges(&self, pod: &PodUid, edges: Arc<Edges>) {
        self.link.server().edges(pod.as_str(), edges);
    }

    async fn moved(&self, cluster: &ClusterKey, moved: Moved) {
        let Moved { members, from, to, epoch, why, took } = &moved;
        info!(%cluster, unit = members.first().map(|it| it.name.as_str()), from, to, %epoch, cause = moved.cause(), "has another owner");
        if *why == Why::First {
            return;
        }
        self.metrics.failed_over(moved.cause(), *took);
        let reason = if why.is_planned() { Reason::Moved } else { Reason::FailedOver };
        let note = match (why, from) {
            (Why::Restarted, _) => {
                format!("{to} runs it again in epoch {epoch}: its process was started anew")
            }
            (_, Some(from)) => format!("from {from} to {to} in epoch {epoch} ({})", moved.cause()),
            (_, None) => format!("to {to} in epoch {epoch} ({})", moved.cause()),
        };
        for member in members {
            let event = Event {
                kind: member.kind.name(),
                name: member.name.clone(),
                uid: member.uid.to_string(),
                reason,
                note: note.clone(),
            };
            self.teller.event(&self.writer, &cluster.namespace, &event).await;
        }
    }

    fn found(&self, cluster: &ClusterKey, found: Found) {
        if let Some((silent, of)) = found.paused.filter(|_| self.founds.of(cluster).paused.is_none()) {
            warn!(%cluster, silent, of, "failover is paused: too many pods fell silent at once");
        }
        let (news, [leases, silent, drains]) = self.founds.put(cluster, &found);
        self.metrics.leases.set(leases as i64);
        self.metrics.silent.set(silent as i64);
        self.metrics.draining.set(drains as i64);
        if news {
            (self.touch)(cluster.clone());
        }
    }
}

fn epoch(feed: &Feed) -> Option<Epoch> {
    let number = feed.status.as_ref()?.epoch?;
    Epoch::new(u64::try_from(number).ok()?).ok()
}

impl Real {
    /// Nothing where somebody else was quicker.
    async fn set_epoch(
        &self,
        cluster: &ClusterKey,
        feed: &Member,
        from: Option<Epoch>,
        to: Epoch,
    ) -> Result<Option<u64>, WriteError> {
        let api: Api<PartialObjectMeta<Feed>> = Api::namespaced(self.client.clone(), &cluster.namespace);
        let parameters =
            PatchParams { field_manager: Some(Manager::Role.name().to_owned()), ..PatchParams::default() };
        let known = self.stores.feeds.get(&cluster.namespace, &feed.name).and_then(|item| item.object.ok());
        let mut there = known.map(|it| it.as_ref().clone());
        for _ in 0..TRIES {
            let same = there
                .as_ref()
                .is_some_and(|it| it.metadata.uid.as_deref() == Some(feed.uid.as_str()) && epoch(it) == from);
            let version = there.and_then(|it| it.metadata.resource_version).filter(|_| same);
            let Some(version) = version else { return Ok(None) };
            let body = json!({
                "metadata": {"resourceVersion": version, "uid": feed.uid.as_str()},
                "status": {"epoch": to.get()},
            });
            let patch = Patch::Merge(&body);
            match self.writer.ask(api.patch_status(&feed.name, &parameters, &patch)).await {
                Ok(written) => return Ok(Some(version_of(written.resource_version().as_deref()))),
                // Something else of it has changed.
                Err(error) if error.class() == ErrorClass::Conflict => {}
                Err(error) => return Err(error),
            }
            let api: Api<Feed> = Api::namespaced(self.client.clone(), &cluster.namespace);
            there = self.writer.ask(api.get_opt(&feed.name)).await?;
        }
        Ok(None)
    }

    async fn put_lease(
        &self,
        cluster: &ClusterKey,
        mut lease: Lease,
        version: Option<&str>,
    ) -> Result<Option<u64>, WriteError> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &cluster.namespace);
        let parameters =
            PostParams { field_manager: Some(Manager::Role.name().to_owned()), ..PostParams::default() };
        let name = lease.name_any();
        let written = |lease: Lease| Some(version_of(lease.metadata.resource_version.as_deref()));
        if let Some(version) = version {
            lease.metadata.resource_version = Some(version.to_owned());
            return self.writer.ask(api.replace(&name, &parameters, &lease)).await.map(written);
        }
        match self.writer.ask(api.create(&parameters, &lease)).await {
            // Somebody else's of that name, without our labels: it counts for nothing.
            Err(error) if error.class() == ErrorClass::Conflict => {}
            answer => return answer.map(written),
        }
        let Some(there) = self.writer.ask(api.get_opt(&name)).await? else { return Ok(None) };
        let ours = there.metadata.labels.as_ref().and_then(|labels| labels.get(labels::CLUSTER));
        if ours == Some(&cluster.name) {
            return Ok(None);
        }
        lease.metadata.resource_version = there.metadata.resource_version;
        self.writer.ask(api.replace(&name, &parameters, &lease)).await.map(written)
    }

    /// What came of a write; and the watch has seen it. An error is said once, and counted each time.
    async fn seen<F: Future<Output = bool>>(
        &self,
        cluster: &ClusterKey,
        written: Result<Option<u64>, WriteError>,
        what: &str,
        reaches: impl FnOnce(u64) -> F,
    ) -> Done {
        match written {
            Ok(Some(version)) => {
                if self.troubles.went(cluster, what) {
                    info!(%cluster, "{what}: now it was");
                }
                if !reaches(version).await {
                    warn!(%cluster, "{what}: it was, but has not been seen for {} s", SEEN_WITHIN.as_secs());
                }
                Done::Yes
            }
            Ok(None) | Err(WriteError::Deposed) => Done::Stale,
            Err(error) if matches!(error.class(), ErrorClass::Conflict | ErrorClass::NotFound) => Done::Stale,
            Err(error) => {
                self.metrics.error(error.class());
                let why = error.to_string();
                if self.troubles.failed(cluster, what, &why) {
                    warn!(%cluster, "{what}: {why}");
                }
                Done::Failed
            }
        }
    }
}

//! All that is watched.

use std::sync::Arc;

use k8s_openapi::api::{
    apps::v1::Deployment,
    coordination::v1::Lease,
    core::v1::{ConfigMap, Pod, Secret, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::Client;
use millrace_crds::kinds::{Cluster, Feed, Room, Stream};
use tokio::task::JoinSet;

use super::{
    guarded::{Belongs, Watched},
    health::Health,
    nodes::Nodes,
    reflect::reflect,
    secrets::Secrets,
    shelf::{Scope, Shelf},
};
use crate::key::ClusterKey;

/// Told of each Cluster to look at.
pub type Touch = Arc<dyn Fn(ClusterKey) + Send + Sync>;

/// All that is watched.
#[derive(Debug)]
#[expect(missing_docs, reason = "the kinds' names say it")]
pub struct Stores {
    pub clusters: Arc<Shelf<Cluster>>,
    pub feeds: Arc<Shelf<Feed>>,
    pub streams: Arc<Shelf<Stream>>,
    pub rooms: Arc<Shelf<Room>>,
    pub config_maps: Arc<Shelf<ConfigMap>>,
    pub slot_secrets: Arc<Shelf<Secret>>,
    pub pods: Arc<Shelf<Pod>>,
    pub services: Arc<Shelf<Service>>,
    pub budgets: Arc<Shelf<PodDisruptionBudget>>,
    pub deployments: Arc<Shelf<Deployment>>,
    pub leases: Arc<Shelf<Lease>>,
    pub secrets: Arc<Secrets>,
    pub nodes: Arc<Nodes>,
    pub health: Arc<Health>,
    scopes: Vec<Scope>,
}

impl Stores {
    /// For these namespaces; all where there is none.
    pub fn new(client: Client, namespaces: &[String]) -> Self {
        let scopes = match namespaces {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        };
        Self {
            clusters: Arc::default(),
            feeds: Arc::default(),
            streams: Arc::default(),
            rooms: Arc::default(),
            config_maps: Arc::default(),
            slot_secrets: Arc::default(),
            pods: Arc::default(),
            services: Arc::default(),
            budgets: Arc::default(),
            deployments: Arc::default(),
            leases: Arc::default(),
            secrets: Arc::new(Secrets::new(client)),
            nodes: Arc::default(),
            health: Arc::default(),
            scopes,
        }
    }

    /// Watches for as long as the tasks live.
    pub fn watch(&self, client: &Client, touch: &Touch, tasks: &mut JoinSet<()>) {
        for scope in &self.scopes {
            self.one(&self.clusters, client, scope, touch, tasks);
            self.one(&self.feeds, client, scope, touch, tasks);
            self.one(&self.streams, client, scope, touch, tasks);
            self.one(&self.rooms, client, scope, touch, tasks);
            self.one(&self.config_maps, client, scope, touch, tasks);
            self.one(&self.slot_secrets, client, scope, touch, tasks);
            self.one(&self.pods, client, scope, touch, tasks);
            self.one(&self.services, client, scope, touch, tasks);
            self.one(&self.budgets, client, scope, touch, tasks);
            self.one(&self.deployments, client, scope, touch, tasks);
            self.one(&self.leases, client, scope, touch, tasks);
            let (secrets, health) = (Arc::clone(&self.secrets), Arc::clone(&self.health));
            let (scope, touch) = (scope.clone(), Arc::clone(touch));
            tasks.spawn(async move { secrets.follow(scope, &health, touch).await });
        }
        // Nodes are of no namespace: an operator of some namespaces may not see them.
        if self.scopes == [None] {
            let (nodes, clusters) = (Arc::clone(&self.nodes), Arc::clone(&self.clusters));
            let (client, touch) = (client.clone(), Arc::clone(touch));
            let all = move || clusters.clusters().into_iter().for_each(|cluster| touch(cluster));
            tasks.spawn(async move { nodes.follow(client, all).await });
        }
    }

    fn one<K: Watched>(
        &self,
        kept: &Arc<Shelf<K>>,
        client: &Client,
        scope: &Scope,
        touch: &Touch,
        tasks: &mut JoinSet<()>,
    ) {
        let (kept, health) = (Arc::clone(kept), Arc::clone(&self.health));
        tasks.spawn(reflect(client.clone(), scope.clone(), kept, health, Arc::clone(touch)));
    }

    /// Whether enough was listed to act upon. Rooms are not waited for: nothing else depends on them.
    pub fn is_listed(&self) -> bool {
        let scopes = self.scopes.as_slice();
        self.clusters.is_listed(scopes)
            && self.feeds.is_listed(scopes)
            && self.streams.is_listed(scopes)
            && self.config_maps.is_listed(scopes)
            && self.slot_secrets.is_listed(scopes)
            && self.pods.is_listed(scopes)
            && self.services.is_listed(scopes)
            && self.budgets.is_listed(scopes)
            && self.deployments.is_listed(scopes)
            && self.leases.is_listed(scopes)
            && self.secrets.is_listed(scopes)
    }

    /// Every Cluster that there is, or that something belongs to.
    pub fn all_clusters(&self) -> Vec<ClusterKey> {
        let mut all = self.clusters.clusters();
        all.extend(self.feeds.clusters());
        all.extend(self.streams.clusters());
        all.extend(self.rooms.clusters());
        all.extend(self.config_maps.clusters());
        all.extend(self.slot_secrets.clusters());
        all.extend(self.pods.clusters());
        all.extend(self.services.clusters());
        all.extend(self.budgets.clusters());
        all.extend(self.deployments.clusters());
        all.sort();
        all.dedup();
        all
    }
}

macro_rules! watched {
    ($($kind:ident $resource:literal $belongs:ident),+ $(,)?) => {$(
        impl Watched for $kind {
            const BELONGS: Belongs = Belongs::$belongs;
            const KIND: &'static str = stringify!($kind);
            const RESOURCE: &'static str = $resource;
        }
    )+};
}

watched! {
    Cluster "clusters.millrace.dev" Itself,
    Feed "feeds.millrace.dev" Reference,
    Stream "streams.millrace.dev" Reference,
    Room "rooms.millrace.dev" Reference,
    ConfigMap "configmaps" Label,
    Secret "secrets" Label,
    Service "services" Label,
    PodDisruptionBudget "poddisruptionbudgets.policy" Label,
    Deployment "deployments.apps" Label,
    Lease "leases.coordination.k8s.io" Label,
}

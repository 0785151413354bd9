//! What is seen of one Cluster, when it is decided what is to be done about it.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod, Secret, Service},
    policy::v1::PodDisruptionBudget,
};
use millrace_crds::{
    FinalSecret,
    kinds::{Cluster, Feed, Room, Stream},
};
use millrace_report::message::{Doing, Refused};

use crate::{keys::Derived, link::Links};

/// All that is known of one Cluster at one time. Objects are those of its namespace that name it (`clusterRef`), or
/// that carry its label (`millrace.dev/cluster`).
#[derive(Clone, Debug)]
pub struct View {
    /// The namespace.
    pub namespace: String,
    /// The Cluster's name.
    pub name: String,
    /// The Cluster; nothing where there is none (Feeds may name one that is not there).
    pub cluster: Option<Arc<Cluster>>,
    /// Feeds, sets and members among them.
    pub feeds: Vec<Arc<Feed>>,
    /// Streams, sets and members among them.
    pub streams: Vec<Arc<Stream>>,
    /// Rooms.
    pub rooms: Vec<Arc<Room>>,
    /// Objects of these kinds that cannot be read; whatever runs of them goes on.
    pub unreadable: Vec<Unreadable>,
    /// Every Secret that one of the above names, if it is there.
    pub secrets: BTreeMap<String, FinalSecret>,
    /// Slots' `ConfigMap`s.
    pub config_maps: Vec<Arc<ConfigMap>>,
    /// Slots' Secrets.
    pub slot_secrets: Vec<Arc<Secret>>,
    /// Server pods: media pods that run Feeds and Streams.
    pub pods: Vec<Arc<Pod>>,
    /// Balancers: media pods that viewers connect to.
    pub balancers: Vec<Arc<Pod>>,
    /// The balancers' `ConfigMap`.
    pub balancers_config: Option<Arc<ConfigMap>>,
    /// The balancers' Secret.
    pub balancers_secret: Option<Arc<Secret>>,
    /// Deployments.
    pub deployments: Vec<Arc<Deployment>>,
    /// Services.
    pub services: Vec<Arc<Service>>,
    /// `PodDisruptionBudget`s.
    pub budgets: Vec<Arc<PodDisruptionBudget>>,
    /// Addresses that nodes are reached at from outside: external ones where there are any, else internal ones.
    /// Empty where the operator may not look at nodes.
    pub nodes: Vec<IpAddr>,
    /// What is owned, and by whom, as Leases that the operator has signed say: grants by the UID of the Feed or Stream.
    pub owners: BTreeMap<String, millrace_fencing::Grant>,
    /// The slots of their pods, by the pod's UID, as those Leases say: pods may own something for a while after their
    /// objects were deleted.
    pub owners_slots: BTreeMap<String, String>,
    /// What was found of who is alive and who owns what.
    pub found: crate::failover::carry::Found,
    /// What media pods reported, by the pod's UID; those whose heartbeats fail are missing.
    pub reports: BTreeMap<String, Reported>,
    /// For how long media pods could report: who has just been started has not heard all of them.
    pub listens_for: Duration,
    /// The operator's own settings.
    pub settings: Arc<Settings>,
    /// Now.
    pub now: Timestamp,
}

/// An object that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Why.
    pub error: String,
}

/// What a media pod said last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reported {
    /// Another at each start of its program.
    pub boot: String,
    /// The revision of the configuration that runs.
    pub revision: u64,
    /// Why a newer one was refused.
    pub refused: Option<Refused>,
    /// Its feeds by name.
    pub feeds: BTreeMap<String, Doing>,
    /// Its streams by name.
    pub streams: BTreeMap<String, Doing>,
    /// Of a balancer: viewers and publishers.
    pub sessions: Option<u32>,
    /// Of a balancer: its links to upstream Clusters, as far as that has settled; nothing where it says nothing of them.
    pub upstreams: Option<Arc<Links>>,
}

/// The operator's own settings.
#[derive(Clone)]
pub struct Settings {
    /// The media pods' image, where a Cluster names none.
    pub media_pod_image: String,
    /// The commands' image, where a Cluster names none.
    pub transcoder_image: String,
    /// `imagePullPolicy` of both; nothing for Kubernetes' default.
    pub image_pull_policy: Option<String>,
    /// Where media pods reach the operator's replicas: host and port of a headless Service.
    pub operator_address: String,
    /// The operator's certificate, in PEM: media pods trust this one and no other.
    pub operator_certificate: String,
    /// What slots' tokens and keys are derived from.
    pub token_key: Vec<u8>,
    /// How long a generation of keys is in use.
    pub key_rotation: Duration,
    /// Public keys that were derived before.
    pub derived: Derived,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Settings").field("media_pod_image", &self.media_pod_image).finish_non_exhaustive()
    }
}

//! What is to be done about one Cluster.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod, Secret, Service},
    policy::v1::PodDisruptionBudget,
};
use millrace_crds::kinds::{ClusterStatus, Feed, FeedStatus, RoomStatus, Stream, StreamStatus};
use millrace_report::{
    link,
    message::{Configuration, Directory},
};

use crate::{failover::guards::Plan, reason::Reason};

/// All that is to be done, in this order: apply, delete, push, tell, status. What already is as it should be is not
/// in it: a decision about a Cluster where all is well is empty but for `configurations`, `directories` and `members`.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Objects to apply on the server side, in this order.
    pub apply: Vec<Apply>,
    /// Objects to delete, after that.
    pub delete: Vec<Delete>,
    /// What each slot's pod is to run, by the slot's name: pushed to those that run an older revision.
    pub configurations: BTreeMap<String, Configuration>,
    /// Where the feeds are that each slot's pod gets from others, by the slot's name; `revision` is left 0, who pushes it
    /// counts.
    pub directories: BTreeMap<String, Directory>,
    /// Whom the Cluster's pods believe on links.
    pub members: Members,
    /// Events to record: once per change.
    pub events: Vec<Event>,
    /// Status to write.
    pub status: Vec<Status>,
    /// What there is to own, and where it belongs.
    pub plan: Plan,
    /// When to look again, though nothing happens.
    pub again: Option<Duration>,
}

/// Whom pods believe on links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Whom server pods believe.
    pub servers: link::Members,
    /// Whom balancers believe.
    pub balancers: link::Members,
}

/// An object to apply on the server side, with all fields that the manager wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Apply {
    /// By whom.
    pub manager: Manager,
    /// What.
    pub object: Object,
}

/// Whoever sets a field: one for each concern, since applying a part would remove what the same manager left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manager {
    /// Objects as such.
    Build,
    /// Which part a pod plays.
    Role,
    /// Slots' configuration.
    Config,
    /// Status.
    Status,
}

impl Manager {
    /// As the API server knows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Build => "millrace/build",
            Self::Role => "millrace/role",
            Self::Config => "millrace/config",
            Self::Status => "millrace/status",
        }
    }
}

/// One of the kinds of objects that are built.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the kinds' names say it")]
pub enum Object {
    ConfigMap(Box<ConfigMap>),
    Secret(Box<Secret>),
    Pod(Box<Pod>),
    Service(Box<Service>),
    PodDisruptionBudget(Box<PodDisruptionBudget>),
    Deployment(Box<Deployment>),
    Feed(Box<Feed>),
    Stream(Box<Stream>),
}

/// An object to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// It is deleted only if it still is the one that was seen.
    pub uid: String,
}

/// The kinds of objects that are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the kinds' names say it")]
pub enum Kind {
    ConfigMap,
    Secret,
    Pod,
    Service,
    PodDisruptionBudget,
    Deployment,
    Feed,
    Stream,
}

/// An Event about one of the resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The kind of what it is about: Cluster, Feed, Stream, Room.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Why. Whether it is a warning follows from it.
    pub reason: Reason,
    /// A sentence.
    pub note: String,
}

/// The status of one of the resources.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the kinds' names say it")]
pub enum Status {
    Cluster { name: String, status: Box<ClusterStatus> },
    Feed { name: String, status: Box<FeedStatus> },
    Stream { name: String, status: Box<StreamStatus> },
    Room { name: String, status: Box<RoomStatus> },
}

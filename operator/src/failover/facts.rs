//! What the watches say, as far as it matters to who owns what. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use millrace_fencing::{Epoch, FeedUid, PodUid, liveness::Kubernetes};

use super::seal::Read;
use crate::{build::rollout, labels};

/// All of one Cluster.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Leases by name.
    pub leases: BTreeMap<String, Read>,
    /// `Feed.status.epoch` by the Feed's UID.
    pub statuses: BTreeMap<FeedUid, Epoch>,
    /// Server pods.
    pub servers: BTreeMap<PodUid, PodFacts>,
    /// Balancers.
    pub balancers: BTreeMap<PodUid, PodFacts>,
    /// Somebody says that what is silent is really gone.
    pub resume: bool,
}

/// A pod.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// Its name.
    pub name: String,
    /// Its slot.
    pub slot: String,
    /// Images of its containers.
    pub images: Arc<BTreeSet<String>>,
    /// Where it runs.
    pub node: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// What Kubernetes says.
    pub kubernetes: Kubernetes,
    /// Kubernetes says that it is Ready.
    pub ready: bool,
    /// It is to be emptied: by annotation, because its node is, or because it was told to end.
    pub draining: bool,
    /// Its node takes nothing new.
    pub cordoned: bool,
    /// It is being deleted.
    pub ends: bool,
    /// The hash of its template.
    pub template: String,
}

impl PodFacts {
    /// Of a pod. `cordoned` says whether its node takes nothing new.
    pub fn of(pod: &Pod, cordoned: impl Fn(&str) -> bool) -> Option<(PodUid, Self)> {
        let uid = PodUid::new(pod.metadata.uid.as_deref()?).ok()?;
        let label = |name| pod.labels().get(name).cloned().unwrap_or_default();
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let ends = pod.metadata.deletion_timestamp.is_some();
        let cordoned = node.as_deref().is_some_and(cordoned);
        let asked = pod.annotations().get(labels::DRAIN).is_some_and(|it| it == "true");
        let facts = Self {
            name: pod.name_any(),
            slot: label(labels::SLOT),
            images: Arc::new(images(pod)),
            ip: pod.status.as_ref().and_then(|status| status.pod_ip.clone()),
            kubernetes: if terminated(pod) { Kubernetes::Terminated } else { Kubernetes::Present },
            ready: rollout::is_ready(pod),
            draining: ends || asked || cordoned,
            cordoned,
            node,
            ends,
            template: label(labels::TEMPLATE),
        };
        Some((uid, facts))
    }
}

fn images(pod: &Pod) -> BTreeSet<String> {
    let containers =
        pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    containers.filter_map(|container| container.image.clone()).collect()
}

/// Its kubelet says that all of its containers have ended for good. A phase `Failed` alone may have been written by who
/// collects pods of nodes that are gone.
fn terminated(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
        || pod.metadata.deletion_timestamp.is_some();
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let ended = |it: &k8s_openapi::api::core::v1::ContainerStatus| {
        it.state.as_ref().is_some_and(|state| state.terminated.is_some())
    };
    over && !containers.is_empty() && containers.iter().all(ended)
}

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::Resources;

/// The Service that viewers reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// The Service's type. Default: `ClusterIP`.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Annotations of the Service, for the load balancers of clouds. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}

/// The type of a Service, as Kubernetes names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// An address inside of the Kubernetes cluster.
    #[default]
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    /// A port of every node.
    NodePort,
    /// An address outside, from the cloud.
    LoadBalancer,
}

/// The pods that run Feeds and Streams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Servers {
    /// The image of the media pod. Default: that of the operator's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// The image that commands run in, for Feeds and Streams that name none. Default: that of the operator's
    /// version, with ffmpeg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub transcoder_image: Option<String>,
    /// What commands may use, for Feeds and Streams that say nothing. Default: no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Labels of the nodes that the pods may run on. Default: any node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods tolerate. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub tolerations: Vec<Toleration>,
    /// Which nodes the pods like, and which other pods they keep near or away from. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How Feeds are put into pods. Default: one Feed a pod.
    #[serde(default)]
    pub packing: Packing,
}

/// How Feeds are put into pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Packing {
    /// The most Feeds of one pod (1 to 1000). Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub feeds_per_pod: u16,
}

const fn one() -> u16 {
    1
}

impl Default for Packing {
    fn default() -> Self {
        Self { feeds_per_pod: one() }
    }
}

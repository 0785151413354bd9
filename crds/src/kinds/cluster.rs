use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    rules,
    shared::{Access, Duration, Size},
};

mod balancers;
mod listeners;
mod servers;
mod status_pages;
mod storage;
mod templates;
mod upstream;

pub use balancers::{Autoscale, BalancerMode, Balancers, EdgeCache};
pub use listeners::{
    HttpListener, HttpsListener, Listeners, RtmpListener, RtmpsListener, RtspListener, SrtListener,
    WebrtcListener,
};
pub use servers::{Packing, Servers, Service, ServiceType};
pub use status_pages::{StatusApi, StatusPage};
pub use storage::{S3, S3Credentials, Storage};
pub use templates::Template;
pub use upstream::{Upstream, UpstreamCredentials};

/// Where Feeds and Streams run: listeners, templates, pools of pods, access rules, storage.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "millrace.dev",
    version = "v1alpha1",
    kind = "Cluster",
    plural = "clusters",
    shortname = "mrc",
    category = "millrace",
    namespaced,
    status = "ClusterStatus",
    derive = "PartialEq",
    doc = "Where Feeds and Streams run: listeners, templates, pools of pods, access rules, storage.",
    validation = rules::NAME,
    scale(
        spec_replicas_path = ".spec.balancers.replicas",
        status_replicas_path = ".status.balancers",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Servers", type_ = "integer", json_path = ".status.servers", description = "How many server pods are ready"),
    printcolumn(name = "Balancers", type_ = "integer", json_path = ".status.balancers", description = "How many balancer pods there are"),
    printcolumn(name = "Feeds", type_ = "string", json_path = ".status.feeds.ready", description = "How many Feeds are ready"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether all is well"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is, or is not, ready"),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.address", description = "Where viewers reach it"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "How long it has existed")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::TLS, validation = rules::STATUS_PATHS)]
pub struct ClusterSpec {
    /// What is listened for. Exactly the protocols that are named. Default: HTTP on port 8080.
    #[serde(default)]
    pub listeners: Listeners,
    /// The Service that viewers reach. Without Kubernetes: not used.
    #[serde(default)]
    pub service: Service,
    /// The pods that run Feeds and Streams. Without Kubernetes: not used.
    #[serde(default)]
    pub servers: Servers,
    /// The pods that viewers and publishers connect to. Without Kubernetes: not used.
    #[serde(default)]
    pub balancers: Balancers,
    /// Commands that Feeds and Streams use by name. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub templates: BTreeMap<String, Template>,
    /// The status page for people. Default: on, at `/stat`, without the clients.
    #[serde(default)]
    pub status_page: StatusPage,
    /// The status for programs. Default: on, at `/stat.json`.
    #[serde(default)]
    pub status_api: StatusApi,
    /// Where recordings go, by a name of your choice. Default: nowhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub storage: BTreeMap<String, Storage>,
    /// Who may play, publish and operate. Default: anyone may play, publish and look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// The certificate for HTTPS, RTMPS and the rest. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Other Clusters (regions) that streams are pulled from when a viewer asks for them here and no pod of this Cluster
    /// has them. They are asked in this order, and the first that has a stream gives it; a stream that appears here is
    /// taken from here. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub upstreams: Vec<Upstream>,
    /// How pods tell each other that they live. Default: every `1s`, dead after 3 missed.
    #[serde(default)]
    pub heartbeat: Heartbeat,
    /// How long a connection may be quiet before it is asked whether it still lives. A duration. Default: `3s`.
    #[serde(default = "three_seconds")]
    pub keepalive: Duration,
    /// What viewers may take. Default: 10000 connections a pod, any bit rate.
    #[serde(default)]
    pub limits: Limits,
}

const fn three_seconds() -> Duration {
    Duration::from_secs(3)
}

impl Default for ClusterSpec {
    fn default() -> Self {
        Self {
            listeners: Listeners::default(),
            service: Service::default(),
            servers: Servers::default(),
            balancers: Balancers::default(),
            templates: BTreeMap::new(),
            status_page: StatusPage::default(),
            status_api: StatusApi::default(),
            storage: BTreeMap::new(),
            access: None,
            tls: None,
            upstreams: Vec::new(),
            heartbeat: Heartbeat::default(),
            keepalive: three_seconds(),
            limits: Limits::default(),
        }
    }
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// A Secret of type `kubernetes.io/tls`: the keys `tls.crt` and `tls.key`, in PEM.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// How pods tell each other that they live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// How often. A duration. Default: `1s`.
    #[serde(default = "one_second")]
    pub interval: Duration,
    /// How many may be missed before a pod counts as dead (2 to 100). Default: 3.
    #[serde(default = "three")]
    #[schemars(range(min = 2, max = 100))]
    pub missed: u8,
}

const fn one_second() -> Duration {
    Duration::from_secs(1)
}

const fn three() -> u8 {
    3
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { interval: one_second(), missed: three() }
    }
}

/// What viewers may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The most connections of one pod (1 to 1000000); more are answered 503. Default: 10000.
    #[serde(default = "ten_thousand")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// The most bits a second that one viewer is sent (`10M`). Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<Size>,
}

const fn ten_thousand() -> u32 {
    10_000
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: ten_thousand(), bitrate: None }
    }
}

/// What a Cluster does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// How many server pods are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<i32>,
    /// How many balancer pods there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancers: Option<i32>,
    /// The labels of the balancer pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,
    /// How many Feeds run on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feeds: Option<FeedCount>,
    /// Where viewers reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub address: Option<String>,
    /// What is well and what is wrong: `Ready` first, then one for each thing that can be wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// How many Feeds a Cluster has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedCount {
    /// How many are ready.
    #[serde(default)]
    pub ready: i32,
    /// How many there are.
    #[serde(default)]
    pub total: i32,
}

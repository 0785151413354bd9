use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{rules, shared::Size};

/// The pods that viewers and publishers connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Balancers {
    /// How many (0 to 1000); while `autoscale` sizes the pool without meaning, but with `autoscale.hpa`, which sets it.
    /// Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: u32,
    /// How a viewer is served: `Relay` through the balancer, or by a `Redirect` to the least loaded edge.
    /// Default: `Relay`.
    #[serde(default)]
    pub mode: BalancerMode,
    /// Sizes the pool by its sessions. Default: not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<Autoscale>,
    /// What a balancer keeps of segments that several viewers ask for. Default: `256Mi`.
    #[serde(default)]
    pub edge_cache: EdgeCache,
}

const fn two() -> u32 {
    2
}

impl Default for Balancers {
    fn default() -> Self {
        Self { replicas: two(), mode: BalancerMode::Relay, autoscale: None, edge_cache: EdgeCache::default() }
    }
}

/// How a viewer is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BalancerMode {
    /// The balancer fetches each stream once and fans it out.
    #[default]
    Relay,
    /// The balancer answers 307 (HTTP) or 302 (RTSP) with the least loaded edge.
    Redirect,
}

/// Sizes the pool of balancers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::AUTOSCALE)]
pub struct Autoscale {
    /// The fewest pods (1 to 1000). Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 1000))]
    pub min: u32,
    /// The most pods (1 to 1000). Default: 10.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1000))]
    pub max: u32,
    /// How many sessions one pod should have (1 to 1000000). Default: 2000.
    #[serde(default = "two_thousand")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sessions: u32,
    /// Leaves the sizing to a `HorizontalPodAutoscaler` on CPU, through the scale subresource. Default: false.
    #[serde(default, skip_serializing_if = "crate::shared::is_false")]
    pub hpa: bool,
}

const fn ten() -> u32 {
    10
}

const fn two_thousand() -> u32 {
    2000
}

/// What a balancer keeps of segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EdgeCache {
    /// The most memory, in bytes. Default: `256Mi`.
    #[serde(default = "edge_memory")]
    pub memory: Size,
}

const fn edge_memory() -> Size {
    Size(256 << 20)
}

impl Default for EdgeCache {
    fn default() -> Self {
        Self { memory: edge_memory() }
    }
}

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::EndpointUrls;

/// What a Stream does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamStatus {
    /// What it does now: `Idle` (rests, because nobody watches), `Starting`, `Running`, `Silent` (alive, but gives
    /// nothing), `Backoff` (failed and will be started again) or `Failed` (ended for good).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StreamState>,
    /// Where it can be watched, by protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<EndpointUrls>,
    /// Its codecs as in RFC 6381: `avc1.64001f`, `mp4a.40.2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 64)), extend("x-kubernetes-list-type" = "atomic"))]
    pub codecs: Vec<String>,
    /// Of a set: how many members it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<i32>,
    /// Of a set: how many members are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<i32>,
    /// What is well and what is wrong: `Ready` first, then one for each thing that can be wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What a Stream does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::shared::drop_description)]
pub enum StreamState {
    /// It rests, because nobody watches.
    Idle,
    /// It was started and has given nothing yet.
    Starting,
    /// It gives media.
    Running,
    /// It is alive and gives nothing.
    Silent,
    /// It failed and will be started again.
    Backoff,
    /// It ended and will not be started again.
    Failed,
}

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    rules,
    shared::{ClusterRef, Duration, SecretRef, StreamRef, yes},
};

/// A voice room with chat, polls and moderation, which may stand beside a Stream.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "millrace.dev",
    version = "v1alpha1",
    kind = "Room",
    plural = "rooms",
    shortname = "room",
    category = "millrace",
    namespaced,
    status = "RoomStatus",
    derive = "PartialEq",
    doc = "A voice room with chat, polls and moderation, which may stand beside a Stream.",
    validation = rules::NAME,
    selectable = ".spec.clusterRef.name",
    printcolumn(name = "Id", type_ = "string", json_path = ".spec.id", description = "The room's number for clients"),
    printcolumn(name = "Stream", type_ = "string", json_path = ".spec.streamRef.name", description = "The Stream it stands beside"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether all is well"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is, or is not, ready"),
    printcolumn(name = "Coordinator", type_ = "string", json_path = ".status.coordinator", description = "The pod that orders its messages"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "How long it has existed")
)]
#[serde(rename_all = "camelCase")]
pub struct RoomSpec {
    /// The Cluster this Room runs on. It cannot be changed later. Default: the Cluster `default`.
    #[serde(default)]
    #[x_kube(validation = rules::CLUSTER_REF)]
    pub cluster_ref: ClusterRef,
    /// What clients call the room. Default: the object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub id: Option<String>,
    /// The Stream that this room stands beside, as in an interactive broadcast. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_ref: Option<StreamRef>,
    /// Where messages are kept. Default: embedded, in the pod's volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<RoomStore>,
    /// How much is kept for those who join later. Default: 1000 messages, `24h`.
    #[serde(default)]
    pub keep: Keep,
    /// How a message that was not acknowledged is sent again. Default: 5 times, after `2s`.
    #[serde(default)]
    pub retransmit: Retransmit,
    /// Text messages. Default: on.
    #[serde(default)]
    pub chat: Toggle,
    /// Polls. Default: on.
    #[serde(default)]
    pub polls: Toggle,
    /// What members may say, and how often. Default: on, five messages in `10s`, no words refused.
    #[serde(default)]
    pub moderation: Moderation,
}

/// Where a room's messages are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomStore {
    /// A Redis server.
    pub redis: Redis,
}

/// A Redis server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Redis {
    /// Its URL: `redis://` or `rediss://`. It holds no user name and no password.
    #[schemars(length(max = 1024), regex(pattern = "^rediss?://[^ ]+$"))]
    #[x_kube(validation = rules::NO_PASSWORD)]
    pub url: String,
    /// The user name and password to use. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<RedisCredentials>,
}

/// Where a user name and password come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedisCredentials {
    /// A Secret with the keys `username` and `password`.
    pub secret_ref: SecretRef,
}

/// How much a room keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keep {
    /// The most messages (0 to 1000000). Default: 1000.
    #[serde(default = "thousand")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub messages: u32,
    /// The age at which a message goes. A duration. Default: `24h`.
    #[serde(default = "one_day")]
    pub age: Duration,
}

const fn thousand() -> u32 {
    1000
}

const fn one_day() -> Duration {
    Duration::from_secs(24 * 3600)
}

impl Default for Keep {
    fn default() -> Self {
        Self { messages: thousand(), age: one_day() }
    }
}

/// How a message that was not acknowledged is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retransmit {
    /// How often (0 to 100). Default: 5.
    #[serde(default = "five")]
    #[schemars(range(min = 0, max = 100))]
    pub times: u8,
    /// How long to wait for the acknowledgement. A duration. Default: `2s`.
    #[serde(default = "two_seconds")]
    pub after: Duration,
}

const fn five() -> u8 {
    5
}

const fn two_seconds() -> Duration {
    Duration::from_secs(2)
}

impl Default for Retransmit {
    fn default() -> Self {
        Self { times: five(), after: two_seconds() }
    }
}

/// Something that can be switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Toggle {
    /// Whether it is on. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
}

impl Default for Toggle {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// What members may say, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moderation {
    /// Whether it is on. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Words that are refused. Default: none.
    #[serde(default)]
    pub words: Words,
    /// How often a member may say something. Default: five messages in `10s`.
    #[serde(default)]
    pub rate: Rate,
}

impl Default for Moderation {
    fn default() -> Self {
        Self { enabled: true, words: Words::default(), rate: Rate::default() }
    }
}

/// Words that are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Words {
    /// Whole words, whatever their case. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 64)), extend("x-kubernetes-list-type" = "set"))]
    pub deny: Vec<String>,
    /// What becomes of a message that holds one. Default: `Mask`.
    #[serde(default)]
    pub action: WordAction,
}

/// What becomes of a message that holds a refused word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WordAction {
    /// The word is replaced by asterisks.
    #[default]
    Mask,
    /// The message is refused.
    Refuse,
}

/// How often a member may say something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// How many messages (1 to 1000). Default: 5.
    #[serde(default = "five_messages")]
    #[schemars(range(min = 1, max = 1000))]
    pub messages: u16,
    /// In how long. A duration. Default: `10s`.
    #[serde(default = "ten_seconds")]
    pub per: Duration,
}

const fn five_messages() -> u16 {
    5
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl Default for Rate {
    fn default() -> Self {
        Self { messages: five_messages(), per: ten_seconds() }
    }
}

/// What a Room does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoomStatus {
    /// The pod that orders its messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub coordinator: Option<String>,
    /// Counts the changes of its coordinator; of two that claim a Room the one of the higher epoch is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// What is well and what is wrong: `Ready` first, then one for each thing that can be wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

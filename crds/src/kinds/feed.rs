use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    rules,
    shared::{
        Activation, ClusterRef, Duration, EnvVar, Grant, LastExit, Resources, SecretKeyRef, SecretRef,
        StreamPath, TemplateRef, Volume, is_false, yes,
    },
};

/// One input: the output of a command, a file or named pipe, a URL to pull, or a place to publish to.
/// One Feed is shared by all Streams that name it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "millrace.dev",
    version = "v1alpha1",
    kind = "Feed",
    plural = "feeds",
    shortname = "feed",
    category = "millrace",
    namespaced,
    status = "FeedStatus",
    derive = "PartialEq",
    doc = "One input: a command's output, a file or named pipe, a URL to pull, or a place to publish to. Shared by all Streams that name it.",
    validation = rules::NAME,
    validation = rules::NOT_ITS_OWN_FALLBACK,
    selectable = ".spec.clusterRef.name",
    printcolumn(name = "Source", type_ = "string", json_path = ".status.source", description = "What kind of source it has"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state", description = "What it does now"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether all is well"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is, or is not, ready"),
    printcolumn(name = "Pod", type_ = "string", json_path = ".status.pod", description = "The pod it runs in"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "How long it has existed")
)]
#[serde(rename_all = "camelCase")]
pub struct FeedSpec {
    /// The Cluster this Feed runs on. It cannot be changed later. Default: the Cluster `default`.
    #[serde(default)]
    #[x_kube(validation = rules::CLUSTER_REF)]
    pub cluster_ref: ClusterRef,
    /// Makes this Feed a set: one Feed called NAME-PIECE stands for each of these pieces, with `{each}`
    /// replaced by the piece everywhere in its spec. Default: no set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 256),
        inner(length(min = 1, max = 38), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub each: Option<Vec<String>>,
    /// Where the media come from. Exactly one of its fields.
    pub source: Source,
    /// Feeds that take over, in this order, while this one gives nothing; viewers stay connected.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(length(min = 1, max = 79), regex(pattern = r"^([-a-z0-9]|\{each\})+$")),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub fallback: Vec<String>,
    /// When the Feed runs: `OnDemand` (while a Stream of it is being watched), `Continuous` (always), or a
    /// number of seconds to stay alive after the last viewer has gone (1 to 604800). Default: `OnDemand`.
    #[serde(default)]
    pub activation: Activation,
    /// Whether the Feed is started again, at once and for ever, when it ends while it is in use. Default: true.
    #[serde(default = "yes")]
    pub resurrect: bool,
    /// How long the Feed may be alive without giving a byte before it counts as dead and is started again;
    /// `0s`: for ever. A duration. Default: `10s`.
    #[serde(default = "ten_seconds")]
    pub silence: Duration,
    /// The container image that the command runs in. Default: the Cluster's `servers.transcoderImage`.
    /// Without Kubernetes: not used, the command runs on the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Environment variables of the command, added to those it has anyway. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvVar>,
    /// What the command may use. Default: no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Keeps a second pod warm that takes over within one heartbeat. Default: false. Without Kubernetes: not used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub standby: bool,
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// Where a Feed's media come from. Exactly one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::ONE_SOURCE)]
pub struct Source {
    /// A program and its arguments, which writes the media to its stdout (`{output}` is `pipe:1`). There is
    /// no shell. `{{` and `}}` stand for braces; `%{…}` stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), inner(length(max = 4096)), extend("x-kubernetes-list-type" = "atomic"))]
    pub command: Option<Vec<String>>,
    /// A command of the Cluster's `spec.templates`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// A file or a named pipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSource>,
    /// A URL to fetch the media from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullSource>,
    /// A place that somebody sends the media to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<PublishSource>,
}

/// A file or a named pipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::FILE_VOLUME)]
pub struct FileSource {
    /// The path of the file or named pipe, where the media pod sees it. One that does not begin with `/` is below the
    /// media folder (`media-pod run --media`, by default /var/lib/millrace/media), where `clip.ts` is a sample.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = rules::FILE_PATH)]
    pub path: String,
    /// Begins again from the start when the file ends. Default: false. A named pipe is always opened again.
    #[serde(default, rename = "loop", skip_serializing_if = "is_false")]
    pub looped: bool,
    /// Reads the file at the speed of its timestamps (MPEG-TS) instead of as fast as it is taken.
    /// Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub paced: bool,
    /// The volume that holds the file, mounted at the directory of `path`. Default: none.
    /// Without Kubernetes: not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
}

/// A URL to fetch the media from. Exactly one of `url` and `urlFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::PULL_URL)]
pub struct PullSource {
    /// The URL: `rtsp://`, `rtsps://`, `rtmp://`, `rtmps://`, `srt://`, `http://`, `https://` (progressive or
    /// HLS), `udp://` or `millrace://` (another cluster). It holds no user name and no password.
    /// Default: none, then `urlFrom` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), regex(pattern = "^(rtsps?|rtmps?|srt|https?|udp|millrace)://[^ ]+$"))]
    #[x_kube(validation = rules::NO_PASSWORD)]
    pub url: Option<String>,
    /// The key of a Secret that holds the URL, for one that must not be seen. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from: Option<UrlFrom>,
    /// The user name and password to use. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PullCredentials>,
}

/// Where a URL comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlFrom {
    /// A key of a Secret in the same namespace.
    pub secret_key_ref: SecretKeyRef,
}

/// Where a user name and password come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullCredentials {
    /// A Secret with the keys `username` and `password` (type `kubernetes.io/basic-auth`).
    pub secret_ref: SecretRef,
}

/// A place that somebody sends the media to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishSource {
    /// The protocols that may be used. `Http` is PUT or POST, and `media-pod publish`, which comes to the same port.
    /// Default: all that the Cluster listens for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), extend("x-kubernetes-list-type" = "set"))]
    pub protocols: Vec<PublishProtocol>,
    /// Where to send to: the path of the URL, the RTMP app and stream key, the SRT stream id. A Stream may have the same
    /// path: it is read there, and sent there.
    pub path: StreamPath,
    /// Who may send. Default: `access.publish` of the first Stream by name that names this Feed and says so, else of the
    /// Cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Grant>,
}

/// A protocol to publish by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PublishProtocol {
    /// RTMP and RTMPS.
    Rtmp,
    /// RTSP (ANNOUNCE and RECORD).
    Rtsp,
    /// SRT in live mode.
    Srt,
    /// WebRTC by WHIP (RFC 9725).
    Whip,
    /// HTTP PUT or POST, and the link's own clients (`media-pod publish`), which come to the port of HTTP, too.
    Http,
}

/// What a Feed does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedStatus {
    /// What it does now: `Idle` (rests, because nobody uses it), `Starting`, `Running`, `Silent` (alive, but gives
    /// nothing), `Backoff` (failed and will be started again) or `Failed` (ended for good).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<FeedState>,
    /// The kind of its source: `command`, `template`, `file`, `pull`, `publish`, or `set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub source: Option<String>,
    /// The pod it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod: Option<String>,
    /// Counts the changes of its owner; of two that claim a Feed the one of the higher epoch is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// How its process last ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<LastExit>,
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

/// What a Feed does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::shared::drop_description)]
pub enum FeedState {
    /// It rests, because nobody uses it.
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

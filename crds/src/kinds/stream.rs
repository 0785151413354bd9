use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    rules,
    shared::{Access, ClusterRef, Duration, EnvVar, Flush, Resources, StreamPath, TemplateRef, yes},
};

mod options;
mod outputs;
mod status;

pub use options::{GopCacheSpec, Hls, Snapshot, SnapshotFormat};
pub use outputs::{KeyFrom, Push, Record, RecordFormat, Rendition};
pub use status::{StreamState, StreamStatus};

/// One output of zero or more Feeds at one path: passed through, or made by a command once for all viewers.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "millrace.dev",
    version = "v1alpha1",
    kind = "Stream",
    plural = "streams",
    shortname = "st",
    category = "millrace",
    namespaced,
    status = "StreamStatus",
    derive = "PartialEq",
    doc = "One output of zero or more Feeds at one path: passed through, or made by a command once for all viewers.",
    validation = rules::NAME,
    selectable = ".spec.clusterRef.name",
    printcolumn(name = "Path", type_ = "string", json_path = ".spec.path", description = "Where it is served"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state", description = "What it does now"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether all is well"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is, or is not, ready"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url.http", priority = 1, description = "Its address over HTTP"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "How long it has existed")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::ONE_COMMAND,
    validation = rules::ONE_SET,
    validation = rules::MUX,
    validation = rules::SOMETHING
)]
pub struct StreamSpec {
    /// The Cluster this Stream runs on. It cannot be changed later. Default: the Cluster `default`.
    #[serde(default)]
    #[x_kube(validation = rules::CLUSTER_REF)]
    pub cluster_ref: ClusterRef,
    /// Makes this Stream a set: one Stream called NAME-PIECE stands for each of these pieces, with `{each}`
    /// replaced by the piece everywhere in its spec. Default: no set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 256),
        inner(length(min = 1, max = 38), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub each: Option<Vec<String>>,
    /// Makes this Stream a set over the pieces of this Feed's set. Default: no set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub each_of: Option<String>,
    /// Where the Stream is served: `/cams/front/hd.ts`. Any number of parts; in a set it holds `{each}`.
    pub path: StreamPath,
    /// The names of its Feeds. None: the command makes the media by itself. Two or more: each is on a file
    /// descriptor of its own, `{feed:NAME}` in the command. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 79), regex(pattern = r"^([-a-z0-9]|\{each\})+$")),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub feeds: Vec<String>,
    /// A program and its arguments: the Feed comes on stdin (`{input}` is `pipe:0`), the media leave on stdout
    /// (`{output}` is `pipe:1`), several Feeds come on `{feed:NAME}` (`pipe:3` and up, in the order of
    /// `feeds`). There is no shell. `{{` and `}}` stand for braces; `%{…}` stays as it is. Default: the Feed
    /// is passed through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), inner(length(max = 4096)), extend("x-kubernetes-list-type" = "atomic"))]
    pub command: Option<Vec<String>>,
    /// A command of the Cluster's `spec.templates`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// The container of what the Stream serves: `MpegTs`, `Fmp4`, `Matroska`, `WebM`, `Flv`, `Ogg`, `Adts`, `Mp3`,
    /// `Mpjpeg`, or `Raw` for anything else. Default: found by looking at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerKind>,
    /// The protocols it is served by. Default: `Http`, and whatever the Cluster's listeners can carry of its codecs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7), extend("x-kubernetes-list-type" = "set"))]
    pub protocols: Option<Vec<PlayProtocol>>,
    /// When what was written is sent to the viewers: `Now`, or a duration to gather writes for, which costs
    /// that much latency and saves CPU. Default: `Now`.
    #[serde(default)]
    pub flush: Flush,
    /// How much is kept since the last random access point, so that a viewer who asks for `?keyframe` has a
    /// picture at once. Default: up to `16Mi` bytes.
    #[serde(default)]
    pub gop_cache: GopCacheSpec,
    /// Pictures of the Stream at PATH/pic. Default: on, JPEG of quality 85.
    #[serde(default)]
    pub snapshot: Snapshot,
    /// HLS, when it is served. Default: segments of `2s`, parts of `200ms`, 6 segments in the playlist.
    #[serde(default)]
    pub hls: Hls,
    /// Smaller versions of the picture that a player may choose from, made once for all viewers. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub renditions: Vec<Rendition>,
    /// Records the Stream to a storage of the Cluster. Default: not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// Other servers that the Stream is sent on to. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub push: Vec<Push>,
    /// Who may watch, and who may send to its Feeds that do not say so themselves. Default: as the Cluster's `access` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Which pod it runs in: `Shared` with its Feeds, or its `Own`. Default: `Shared`. Without Kubernetes: not used.
    #[serde(default)]
    pub pod: PodChoice,
    /// The container image that the command runs in. Default: that of its Feeds, or the Cluster's
    /// `servers.transcoderImage`. Without Kubernetes: not used, the command runs on the machine.
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
    /// Whether the command is started again, at once and for ever, when it ends while it is in use. Default: true.
    #[serde(default = "yes")]
    pub resurrect: bool,
    /// How long the command may be alive, and fed, without giving a byte before it counts as dead and is
    /// started again; `0s`: for ever. A duration. Default: `10s`.
    #[serde(default = "ten_seconds")]
    pub silence: Duration,
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// A container of media that can be streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::shared::drop_description)]
pub enum ContainerKind {
    /// MPEG transport stream (ISO/IEC 13818-1).
    MpegTs,
    /// Fragmented MP4 (ISO/IEC 14496-12, CMAF).
    Fmp4,
    /// Matroska (RFC 9559).
    Matroska,
    /// `WebM`, the Matroska of browsers.
    WebM,
    /// Flash Video.
    Flv,
    /// Ogg (RFC 3533): Opus, Vorbis, FLAC, Theora.
    Ogg,
    /// AAC in ADTS frames (ISO/IEC 13818-7).
    Adts,
    /// MPEG audio: MP3, MP2.
    Mp3,
    /// JPEG pictures as `multipart/x-mixed-replace`, which plays in an `img`.
    Mpjpeg,
    /// Anything else: bytes without units or random access points.
    Raw,
}

/// A protocol to watch by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PlayProtocol {
    /// The container as it comes, over HTTP.
    Http,
    /// HTTP Live Streaming (RFC 8216), with low latency.
    Hls,
    /// MPEG-DASH.
    Dash,
    /// RTMP and RTMPS.
    Rtmp,
    /// RTSP, interleaved or over UDP.
    Rtsp,
    /// SRT in live mode.
    Srt,
    /// WebRTC by WHEP.
    Whep,
}

/// Which pod a Stream runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PodChoice {
    /// The pod of its Feeds.
    #[default]
    Shared,
    /// A pod of its own.
    Own,
}

use std::time::Duration;

use serde::Serialize;

use crate::{
    kinds::{
        ContainerKind, GopCacheSpec, Hls, PlayProtocol, PodChoice, Push, Record, Rendition, Snapshot,
        StreamSpec,
    },
    resolve::placeholder,
    shared::{Access, ClusterRef, EnvVar, Flush, Resources, Size, StreamPath},
};

/// A Stream in final form.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalStream {
    /// Its name: at most 40 of a-z, 0-9 and `-`.
    pub name: String,
    /// The text of its annotation `millrace.dev/restart`: with another one its command is run anew. At most 64 bytes.
    pub restart: Option<String>,
    /// Where it is served, beginning with `/`.
    pub path: StreamPath,
    /// The names of its Feeds. One is on the command's stdin, several are on the descriptors 3 and up, in this
    /// order; without a command there is exactly one, which is passed through.
    pub feeds: Vec<String>,
    /// The program and its arguments, with all placeholders filled in; `None`: passed through.
    pub command: Option<Vec<String>>,
    /// The container of what comes out; `None`: find out.
    pub container: Option<ContainerKind>,
    /// The protocols it is served by; `None`: whatever is listened for.
    pub protocols: Option<Vec<PlayProtocol>>,
    /// How long writes are gathered; `None`: sent at once.
    pub flush: Option<Duration>,
    /// How much is kept since the last random access point.
    pub gop_cache: GopCache,
    /// Pictures at PATH/pic.
    pub snapshot: Snapshot,
    /// How HLS is cut.
    pub hls: Hls,
    /// Smaller versions of the picture.
    pub renditions: Vec<Rendition>,
    /// How it is recorded.
    pub record: Option<Record>,
    /// Servers that it is sent on to.
    pub push: Vec<Push>,
    /// Who may watch, where it differs from the Cluster; see `Resolved::play_grant`.
    pub access: Option<Access>,
    /// Which pod it runs in; nothing without Kubernetes.
    pub pod: PodChoice,
    /// The image of its command; nothing without Kubernetes.
    pub image: Option<String>,
    /// The environment of its command; `Resolved::environment` fills in what comes from Secrets.
    pub env: Vec<EnvVar>,
    /// The most memory of one process of its command, in bytes.
    pub memory_per_process: Option<u64>,
    /// What else its command may use; nothing without Kubernetes.
    pub resources: Option<Resources>,
    /// Whether the command is started again when it ends while it is in use.
    pub resurrect: bool,
    /// How long the command may be alive, and fed, without giving a byte; zero: for ever.
    pub silence: Duration,
}

/// How much is kept since the last random access point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum GopCache {
    /// Up to this many bytes.
    Bytes(u64),
    /// Up to this many frames.
    Frames(u32),
    /// Nothing.
    Off,
}

impl From<&GopCacheSpec> for GopCache {
    fn from(spec: &GopCacheSpec) -> Self {
        match (spec.bytes, spec.frames) {
            (Some(Size(0)), _) | (_, Some(0)) | (None, None) => Self::Off,
            (Some(Size(bytes)), _) => Self::Bytes(bytes),
            (None, Some(frames)) => Self::Frames(frames),
        }
    }
}

impl From<GopCache> for GopCacheSpec {
    fn from(cache: GopCache) -> Self {
        match cache {
            GopCache::Bytes(bytes) => Self { bytes: Some(Size(bytes)), frames: None },
            GopCache::Frames(frames) => Self { bytes: None, frames: Some(frames) },
            GopCache::Off => Self { bytes: Some(Size(0)), frames: None },
        }
    }
}

impl FinalStream {
    /// The file descriptor that the command reads the Feed at this place of `feeds` from.
    pub fn input_descriptor(&self, place: usize) -> usize {
        if self.feeds.len() == 1 { 0 } else { 3 + place }
    }

    /// The spec that stands for this Stream without templates and sets.
    pub(crate) fn to_spec(&self, cluster: &str) -> StreamSpec {
        StreamSpec {
            cluster_ref: ClusterRef { name: cluster.to_owned() },
            each: None,
            each_of: None,
            path: self.path.clone(),
            feeds: self.feeds.clone(),
            command: self.command.as_deref().map(placeholder::escape_all),
            template: None,
            container: self.container,
            protocols: self.protocols.clone(),
            flush: self.flush.map_or(Flush::Now, |gather| Flush::After(gather.into())),
            gop_cache: self.gop_cache.into(),
            snapshot: self.snapshot.clone(),
            hls: self.hls.clone(),
            renditions: self.renditions.clone(),
            record: self.record.clone(),
            push: self.push.clone(),
            access: self.access.clone(),
            pod: self.pod,
            image: self.image.clone(),
            env: self.env.clone(),
            resources: self.resources.clone(),
            resurrect: self.resurrect,
            silence: self.silence.into(),
        }
    }
}

use std::time::Duration;

use serde::Serialize;

use crate::{
    kinds::{FeedSpec, FileSource, PublishProtocol, PullCredentials, PullSource, Source, UrlFrom},
    resolve::placeholder,
    shared::{Activation, ClusterRef, EnvVar, Grant, Resources, StreamPath, Volume},
};

/// A Feed in final form.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalFeed {
    /// Its name: at most 40 of a-z, 0-9 and `-`.
    pub name: String,
    /// The text of its annotation `millrace.dev/restart`: with another one it is run anew. At most 64 bytes.
    pub restart: Option<String>,
    /// Where its media come from.
    pub source: FinalSource,
    /// The names of Feeds that take over while this one gives nothing, in order.
    pub fallback: Vec<String>,
    /// When it runs.
    pub activation: Activation,
    /// Whether it is started again when it ends while it is in use.
    pub resurrect: bool,
    /// How long it may be alive without giving a byte; zero: for ever.
    pub silence: Duration,
    /// The image of its command; nothing without Kubernetes.
    pub image: Option<String>,
    /// The environment of its command; `Resolved::environment` fills in what comes from Secrets.
    pub env: Vec<EnvVar>,
    /// The most memory of one process of its command, in bytes.
    pub memory_per_process: Option<u64>,
    /// What else its command may use; nothing without Kubernetes.
    pub resources: Option<Resources>,
    /// Whether a second pod is kept warm; nothing without Kubernetes.
    pub standby: bool,
}

/// Where the media of a Feed come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FinalSource {
    /// A program that writes to its stdout.
    Command {
        /// The program and its arguments; never empty.
        argv: Vec<String>,
    },
    /// A file or a named pipe.
    File {
        /// Its path; one that does not begin with `/` is below the media folder.
        path: String,
        /// Whether it begins again when it ends.
        looped: bool,
        /// Whether it is read at the speed of its timestamps.
        paced: bool,
        /// The volume that holds it; nothing without Kubernetes.
        volume: Option<Volume>,
    },
    /// A URL to fetch from. Exactly one of `url` and `url_from` is there.
    Pull {
        /// The URL, without user name and password.
        url: Option<String>,
        /// The key of a Secret that holds the URL.
        url_from: Option<UrlFrom>,
        /// The user name and password to use.
        credentials: Option<PullCredentials>,
    },
    /// A place that somebody sends to.
    Publish {
        /// The protocols that may be used; empty: all that are listened for.
        protocols: Vec<PublishProtocol>,
        /// Where to send to.
        path: StreamPath,
        /// Who may send, where it differs from the Cluster; see `Resolved::publish_grant`.
        access: Option<Grant>,
    },
}

impl FinalSource {
    /// One word for the kind of source, as in the status.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Command { .. } => "command",
            Self::File { .. } => "file",
            Self::Pull { .. } => "pull",
            Self::Publish { .. } => "publish",
        }
    }
}

impl FinalFeed {
    /// The spec that stands for this Feed without templates and sets.
    pub(crate) fn to_spec(&self, cluster: &str) -> FeedSpec {
        FeedSpec {
            cluster_ref: ClusterRef { name: cluster.to_owned() },
            each: None,
            source: source_spec(&self.source),
            fallback: self.fallback.clone(),
            activation: self.activation,
            resurrect: self.resurrect,
            silence: self.silence.into(),
            image: self.image.clone(),
            env: self.env.clone(),
            resources: self.resources.clone(),
            standby: self.standby,
        }
    }
}

fn source_spec(source: &FinalSource) -> Source {
    let mut spec = Source::default();
    match source.clone() {
        FinalSource::Command { argv } => spec.command = Some(placeholder::escape_all(&argv)),
        FinalSource::File { path, looped, paced, volume } => {
            spec.file = Some(FileSource { path, looped, paced, volume });
        }
        FinalSource::Pull { url, url_from, credentials } => {
            spec.pull = Some(PullSource { url, url_from, credentials });
        }
        FinalSource::Publish { protocols, path, access } => {
            spec.publish = Some(crate::kinds::PublishSource { protocols, path, access });
        }
    }
    spec
}

//! The messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// From a media pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToOperator {
    /// The first message: who is there.
    Hello(Hello),
    /// A heartbeat, with what has changed.
    Beat(Beat),
}

/// To a media pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToPod {
    /// The answer to [`Hello`]: the name of the operator's replica.
    Welcome {
        /// The replica's pod.
        replica: String,
    },
    /// What to run from now on.
    Configuration(Configuration),
    /// Where the rest of the Cluster is.
    Directory(Directory),
    /// The answer to each [`Beat`]: the replica is alive.
    Heard,
    /// The connection ends, and why: a sentence for the log.
    Refused {
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// Who a media pod is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The version of its program.
    pub version: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// The name of its Cluster; empty while it has no configuration.
    pub cluster: String,
    /// Its slot: what it runs belongs to this, and outlives the pod.
    pub slot: String,
    /// Another at each start of the program.
    pub boot: String,
    /// Proves that it is of this slot; from its Secret.
    pub token: String,
}

/// A heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beat {
    /// The revision of the configuration that runs.
    pub revision: u64,
    /// Why a newer one was refused, by its revision: all that is wrong with it, in lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The revision of the directory that it uses; 0 for none.
    pub directory: u64,
    /// The next one comes within this many milliseconds; 0 for a second.
    #[serde(default)]
    pub within: u64,
    /// Viewers now.
    pub viewers: u32,
    /// Whether it drains: takes nothing new.
    #[serde(default)]
    pub draining: bool,
    /// All feeds by name; nothing where none has changed since the beat before on this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feeds: Option<BTreeMap<String, Doing>>,
    /// All streams by name; nothing where none has changed since the beat before on this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<BTreeMap<String, Doing>>,
}

/// A configuration that was refused; the one before it runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Its revision.
    pub revision: u64,
    /// All that is wrong, a line each.
    pub reason: String,
}

/// What a feed or stream does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Doing {
    /// What it does.
    pub state: State,
    /// Since when, in milliseconds since 1970.
    pub since: i64,
    /// Starts after the first one.
    #[serde(default)]
    pub restarts: u64,
    /// How its process ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<Exit>,
    /// The feed that gives the bytes in place of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// The GOP does not fit into the cache: `?keyframe=last` waits for the next one.
    #[serde(default)]
    pub gop_too_long: bool,
}

/// The states of feeds and streams, as in their status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// It rests, because nobody uses it.
    #[default]
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

/// How a process ended. What is a Secret's is masked in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    /// Its exit code, if it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The signal, if one ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// A sentence: what happened.
    pub reason: String,
    /// The last lines of stderr, at most 4096 bytes of them.
    #[serde(default)]
    pub stderr: String,
}

/// What a media pod runs, in final form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// Counts the changes of the slot: a pod takes what is newer than what it has.
    pub revision: u64,
    /// A Cluster, Feeds and Streams as YAML documents.
    pub yaml: String,
    /// The Secrets they name, as YAML documents.
    pub secrets: String,
    /// The template of the pods that can run it; a pod of another one goes on with what it has. Empty: any.
    #[serde(default)]
    pub template: String,
}

/// Where streams and feeds of other media pods are.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    /// Counts its changes, from 1.
    pub revision: u64,
    /// What one media pod of the Cluster shows to another.
    pub token: String,
    /// Host and port of the owner's internal listener, by the path of a stream.
    pub streams: BTreeMap<String, String>,
    /// The same, by the name of a feed.
    pub feeds: BTreeMap<String, String>,
}

macro_rules! shy {
    ($($name:ident: $($shown:ident),+;)+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.debug_struct(stringify!($name))$(.field(stringify!($shown), &self.$shown))+.finish_non_exhaustive()
            }
        }
    )+};
}

// Without what is secret in them.
shy! {
    Hello: version, namespace, pod, cluster, slot, boot;
    Configuration: revision;
    Directory: revision, streams, feeds;
}

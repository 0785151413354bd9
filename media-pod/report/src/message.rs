//! The messages.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    link::{Members, NamedGrant},
    upstream::UpstreamLink,
};

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
    Configuration(Arc<Configuration>),
    /// Where the rest of the Cluster is.
    Directory(Arc<Directory>),
    /// To a server pod: all that it owns, in place of what was said before.
    Ownership(Arc<Ownership>),
    /// To a balancer: epochs that exist. Each counts until a newer one of its feed is told.
    Fences(Vec<Fence>),
    /// Whose word counts on links, in place of what was said before.
    Members(Arc<Members>),
    /// To a balancer: all balancers of its Cluster, in place of what was said before.
    Edges(Arc<Edges>),
    /// The leader's answer to a [`Beat`] with holdings, beside [`Heard`](Self::Heard).
    Vouched(Vouched),
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
    /// The part that it plays: `server` or `balancer`. Nothing means a server.
    #[serde(default)]
    pub role: Role,
}

/// The part that a media pod plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// It runs feeds and streams.
    #[default]
    Server,
    /// It serves viewers what server pods have.
    Balancer,
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
    /// When it was sent, in microseconds by the pod's own clock: [`Vouched`] brings it back.
    #[serde(default)]
    pub sent: u64,
    /// What a server pod owns, by the UID of the feed (of the Stream, where it has no Feed).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holdings: Vec<Held>,
    /// Feeds by UID that it has stopped because others own them, and in which epoch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub over: BTreeMap<String, u64>,
    /// A balancer's part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancer: Option<Balancing>,
}

/// A feed that a server pod owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Its UID.
    pub feed: String,
    /// In which epoch.
    pub epoch: u64,
    /// Whether the pod was told that nobody before it does exclusive work any more.
    pub cleared: bool,
}

/// What a balancer says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Balancing {
    /// Its links with server pods, by the pod's UID: those that are up, and those that ended less than a minute ago.
    pub links: BTreeMap<String, LinkState>,
    /// The newest owner of each feed, by UID, that was announced to it or that it was told of; nothing where none has
    /// changed since the beat before on this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<BTreeMap<String, Newest>>,
    /// The epochs below which it vouches for nobody, by the feed's UID; nothing as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floors: Option<BTreeMap<String, u64>>,
    /// The links to the Clusters that its own pulls from, by their names there; nothing as above, and from balancers that
    /// are too old to say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstreams: Option<BTreeMap<String, UpstreamLink>>,
    /// Viewers and publishers now.
    pub sessions: u32,
    /// What it sends to viewers, in bits per second.
    pub bits_per_second: u64,
}

/// A link between a balancer and a server pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkState {
    /// It is up.
    Up {
        /// How long ago something was heard, in milliseconds.
        age: u64,
    },
    /// The pod has closed or reset it.
    ClosedByPeer,
    /// It timed out, or was closed here.
    Lost,
}

/// The newest owner of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Newest {
    /// Its epoch.
    pub epoch: u64,
    /// Who it is: POD-UID_BOOT-ID.
    pub holder: String,
}

/// What a server pod owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ownership {
    /// Counts its changes, from 1.
    pub revision: u64,
    /// All grants of this boot of the pod.
    pub grants: Vec<NamedGrant>,
    /// UIDs of those feeds for which nobody before it does exclusive work any more, and the epoch that this is said of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cleared: BTreeMap<String, u64>,
    /// Grants of others, in Base64, that came after this pod's own: it stops those feeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<String>,
}

/// An epoch that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fence {
    /// The feed's UID.
    pub feed: String,
    /// The signed grant, in Base64.
    pub grant: String,
    /// Whether older owners' frames are cut from now on.
    pub frames: bool,
}

/// The balancers of a Cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edges {
    /// Counts its changes, from 1.
    pub revision: u64,
    /// All of them, the one that is told among them.
    pub edges: Vec<Edge>,
}

/// A balancer, as others know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// The name of its pod.
    pub name: String,
    /// The host that viewers reach it at: its pod's address, or that of its node.
    pub host: String,
    /// The address that server pods dial: `HOST:PORT`.
    pub link: String,
    /// What it carried when it was last heard.
    pub sessions: u32,
    /// The same, in bits per second.
    pub bits_per_second: u64,
    /// Whether it takes viewers: it is Ready, and does not drain.
    pub open: bool,
}

/// What the leader vouches for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vouched {
    /// The beat's own [`sent`](Beat::sent).
    pub sent: u64,
    /// Epochs by the feed's UID: the holdings in the beat against which nothing is known.
    pub covers: BTreeMap<String, u64>,
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
    Hello: version, namespace, pod, cluster, slot, boot, role;
    Configuration: revision;
    Directory: revision, streams, feeds;
}

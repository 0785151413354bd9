//! What the resources say.

use millrace_status::Moment;
use serde::Serialize;

/// One page of `/api/v1/sessions`.
#[allow(clippy::struct_field_names, reason = "as in the path")]
#[derive(Debug, Default, Serialize)]
pub struct Sessions {
    /// How many there are.
    pub total: usize,
    /// What to ask for next, with `after`; none after the last page.
    pub next: Option<String>,
    /// This page, in the order of their ids.
    pub sessions: Vec<Session>,
}

/// Somebody who gets a stream.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Unique in this media pod, never used twice.
    pub id: String,
    /// Of the stream.
    pub path: String,
    /// Address and port of who gets it; none where the Cluster does not show that.
    pub client: Option<String>,
    /// What that is: `Client`, or a member: `Balancer`. `Server` or `Upstream` where this media pod is the one who gets it.
    pub role: &'static str,
    /// As `http/1.1` or `millrace`.
    pub protocol: String,
    /// `Streaming`, or `Waiting` while nothing was sent yet.
    pub state: &'static str,
    /// Bytes of it, by now.
    pub bytes: u64,
    /// Packets of it, by now; none where there is no such thing.
    pub packets: Option<u64>,
    /// Packets that were lost; none where they cannot be counted.
    pub lost: Option<u64>,
    /// How much the way of packets varies, in milliseconds; none where it cannot be known.
    pub jitter_ms: Option<f64>,
    /// How far behind the live edge it is, in bytes; none where that is not known.
    pub lag_bytes: Option<u64>,
    /// How often it was too slow and was moved on.
    pub skips: Option<u64>,
    /// Since when.
    pub started: Moment,
}

/// `/api/v1/cluster`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// The name of the Cluster.
    pub name: String,
    /// The name of this media pod, or of its machine.
    pub pod: String,
    /// What it is: `Server` or `Balancer`.
    pub role: &'static str,
    /// Of the program.
    pub version: String,
    /// Of the configuration that runs.
    pub revision: String,
    /// Since when it runs.
    pub started: Moment,
    /// Whether it takes nothing new.
    pub draining: bool,
    /// Viewers now.
    pub sessions: u64,
    /// Sent to them, in bits per second.
    pub bits_per_second: u64,
    /// Links to other members now.
    pub links: usize,
    /// `Relay` or `Redirect`.
    pub mode: &'static str,
    /// The most connections of one media pod.
    pub max_connections: u32,
    /// The Clusters that streams are pulled from, in the order in which they are asked.
    pub upstreams: Vec<Upstream>,
    /// Requests of other Clusters that went round or too far, refused here.
    pub loops_refused: u64,
    /// How many streams it knows.
    pub total: usize,
    /// What to ask for next, with `after`; none after the last page.
    pub next: Option<String>,
    /// This page of the streams that it knows, by path.
    pub streams: Vec<Stream>,
}

/// Another Cluster, which streams are pulled from.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// As the Cluster calls it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// `Linked`, `Dialling` for the first time, or `Away`.
    pub state: &'static str,
    /// Why it is away.
    pub reason: Option<String>,
    /// Streams that are pulled from it.
    pub sessions: usize,
    /// Sessions that were begun so far.
    pub sessions_total: u64,
    /// Sessions that could not be begun.
    pub failures: u64,
    /// Bytes of content that came from it.
    pub bytes_received: u64,
    /// Requests that it refused because they went round or too far.
    pub loops_refused: u64,
}

/// A stream of the Cluster.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    /// Where it is.
    pub path: String,
    /// The UID of its feed, where that is known.
    pub feed: Option<String>,
    /// POD-UID_BOOT-ID of who has it, where that is known.
    pub owner: Option<String>,
    /// In which epoch.
    pub epoch: Option<u64>,
    /// `Here`, `Live` (elsewhere), `Orphaned` while nobody has it, or `Beyond`: pulled from another Cluster.
    pub state: &'static str,
}

/// `/api/v1/members`.
#[derive(Debug, Default, Serialize)]
pub struct Members {
    /// How many there are.
    pub total: usize,
    /// Those that this media pod is linked with, and those that it was told of.
    pub members: Vec<Member>,
}

/// Another member of the Cluster.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// POD-UID_BOOT-ID of a server pod; the key, or the name of the pod, of a balancer; the name of an upstream.
    pub name: String,
    /// `Server` or `Balancer`; `Upstream`: of another Cluster.
    pub role: &'static str,
    /// Where it is.
    pub address: String,
    /// `Linked` with this media pod; else, as the operator says, `Open` or `Closed` for viewers.
    pub state: &'static str,
    /// Numbers of the link.
    pub link: Option<Link>,
}

/// A link.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Unique in this media pod.
    pub id: u64,
    /// Since when.
    pub started: Moment,
    /// Streams that flow.
    pub sessions: usize,
    /// How long ago something was heard, in milliseconds.
    pub silence_ms: u64,
    /// There and back, in milliseconds.
    pub rtt_ms: f64,
    /// How much that varies, in milliseconds.
    pub jitter_ms: f64,
    /// Sent.
    pub bytes_sent: u64,
    /// Received.
    pub bytes_received: u64,
    /// Sent.
    pub packets_sent: u64,
    /// Received.
    pub packets_received: u64,
    /// Packets that did not come.
    pub lost: u64,
    /// Packets that came twice, and were refused.
    pub replayed: u64,
    /// What this end said was wrong.
    pub refused: u64,
}

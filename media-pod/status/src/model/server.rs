//! The program as a whole, and who is connected.

use serde::Serialize;

use super::{FeedStatus, Moment, StreamStatus};

/// All that the status page shows, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The program.
    pub program: Program,
    /// The name of the machine or pod.
    pub host: String,
    /// When all this was so. In JSON two entries: `serverTime`, RFC 3339, and `serverTimeUnixMs`.
    #[serde(flatten, serialize_with = "Moment::serialize_twofold")]
    pub server_time: Moment,
    /// When the program started.
    pub started: Moment,
    /// How long it has run, in seconds.
    pub uptime_seconds: u64,
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// Sums over all streams and feeds.
    pub totals: Totals,
    /// What the program costs, its children apart.
    pub process: Process,
    /// What it was told to do.
    pub configuration: Configuration,
    /// The feeds, in the order to show them in.
    pub feeds: Vec<FeedStatus>,
    /// The streams, in the order to show them in.
    pub streams: Vec<StreamStatus>,
    /// Links to other members of the cluster; absent from the JSON where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkStatus>,
    /// Who is connected; none, and absent from the JSON, unless that is switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<Vec<ClientStatus>>,
}

impl Status {
    /// The JSON for programs: one object, camelCase names, no line breaks.
    ///
    /// # Errors
    /// None that these types can cause; the signature is the serializer's.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// Name and version of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// As `media-pod`.
    pub name: String,
    /// As `0.1.0`.
    pub version: String,
}

/// One socket that accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// As `http`.
    pub protocol: String,
    /// As `127.0.0.1:8080`.
    pub address: String,
}

/// Sums over all streams and feeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Viewers now.
    pub viewers: u64,
    /// Bytes sent to viewers since the program started.
    pub bytes_out: u64,
    /// Bytes read by feeds since the program started.
    pub bytes_in: u64,
    /// Sent to viewers now, in bits per second.
    pub bitrate_out_bps: u64,
    /// Read by feeds now, in bits per second.
    pub bitrate_in_bps: u64,
    /// Connections accepted since the program started.
    pub connections_total: u64,
    /// Requests for paths that are not there, since the program started.
    pub not_found_total: u64,
}

/// What the program costs, its children apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Processor time used since it started, user and system, in seconds.
    pub cpu_seconds: f64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// Threads.
    pub threads: u64,
}

/// What the program was told to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// The file it was read from.
    pub file: String,
    /// A short name of its content, as the first digits of a hash.
    pub revision: String,
    /// When it was taken.
    pub loaded_at: Moment,
    /// Why the newest edit was not taken, if it was not.
    pub last_error: Option<ConfigurationError>,
}

/// An edit that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationError {
    /// When it was refused.
    pub at: Moment,
    /// All that is wrong with it, each with file, line, field and what would be right.
    pub diagnostics: Vec<String>,
}

/// One link to another member of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkStatus {
    /// What it calls itself, or its key.
    pub peer: String,
    /// What it is: `Server` or `Balancer`.
    pub role: String,
    /// Address and port of the other end.
    pub address: String,
    /// Since when.
    pub connected_at: Moment,
    /// Streams that flow now.
    pub sessions: u64,
    /// Bytes sent, headers included.
    pub bytes_sent: u64,
    /// Bytes received, headers included.
    pub bytes_received: u64,
    /// Packets that did not come.
    pub packets_lost: u64,
    /// Packets that were refused.
    pub refused: u64,
    /// There and back on average, in milliseconds.
    pub rtt_ms: f64,
    /// How much that varies, in milliseconds.
    pub jitter_ms: f64,
    /// How long ago something was heard, in milliseconds.
    pub silence_ms: u64,
}

/// One connected viewer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientStatus {
    /// Address and port of the other end.
    pub peer: String,
    /// The stream it views, by name.
    pub stream: String,
    /// As `http/1.1`.
    pub protocol: String,
    /// Since when.
    pub connected_at: Moment,
    /// Bytes sent to it.
    pub bytes: u64,
    /// How far it is behind the live edge, what the kernel holds included, in bytes.
    pub lag_bytes: u64,
    /// How often it was too slow and was moved on.
    pub skips: u64,
    /// What it says it is; empty if it says nothing.
    pub user_agent: String,
}

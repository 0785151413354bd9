//! One input.

use serde::ser::{Serialize, Serializer};

use super::{Gop, LastExit, Moment, State, Track};

/// What a feed reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub enum SourceKind {
    /// The standard output of a command.
    #[default]
    Command,
    /// A file.
    File,
    /// A named pipe.
    Pipe,
    /// A URL to pull from.
    Pull,
    /// A place to publish to.
    Publish,
}

impl SourceKind {
    /// The word that people and programs see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "Command",
            Self::File => "File",
            Self::Pipe => "Pipe",
            Self::Pull => "Pull",
            Self::Publish => "Publish",
        }
    }
}

/// What a feed reads, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// What kind of thing it is.
    pub kind: SourceKind,
    /// The command line in display form, the path or the URL; without credentials.
    pub description: String,
}

/// When a feed runs. Serialized as in the YAML: `"OnDemand"`, `"Continuous"`, or a number of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// While somebody needs it.
    #[default]
    OnDemand,
    /// Always.
    Continuous,
    /// While somebody needs it, and this many seconds more.
    Seconds(u64),
}

impl Serialize for Activation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::OnDemand => serializer.serialize_str("OnDemand"),
            Self::Continuous => serializer.serialize_str("Continuous"),
            Self::Seconds(seconds) => serializer.serialize_u64(*seconds),
        }
    }
}

/// One feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedStatus {
    /// Its name.
    pub name: String,
    /// What it reads.
    pub source: Source,
    /// When it runs.
    pub activation: Activation,
    /// How it is doing.
    pub state: State,
    /// Since when it has been in that state.
    pub since: Moment,
    /// The fallback feed that gives the bytes now, if this one does not.
    pub fallback: Option<String>,
    /// How many streams need it now.
    pub holds: u64,
    /// Bytes read since the program started.
    pub bytes_in: u64,
    /// What it gives now, in bits per second.
    pub bitrate_bps: u64,
    /// The container, as `MpegTs`, once known.
    pub container: Option<String>,
    /// The tracks, once known.
    pub tracks: Vec<Track>,
    /// The newest whole group of pictures, once there was one.
    pub gop: Option<Gop>,
    /// How often it was begun again.
    pub restarts: u64,
    /// How it ended last.
    pub last_exit: Option<LastExit>,
    /// The process that runs now.
    pub pid: Option<u32>,
}

//! One output.

use serde::Serialize;

use super::{LastExit, Moment, State};
use crate::html::Encoded;

/// What a track is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum TrackKind {
    /// Pictures.
    #[default]
    Video,
    /// Sound.
    Audio,
    /// Subtitles, metadata, anything else.
    Other,
}

/// One elementary stream of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Track {
    /// What it is for.
    pub kind: TrackKind,
    /// Short codec name, as `h264`.
    pub codec: String,
}

/// A group of pictures: from one random access point to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gop {
    /// How long it lasts, in milliseconds.
    pub milliseconds: u64,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// Something to click on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// What is shown.
    pub label: String,
    /// Where it leads: a path that begins with one `/` (already percent-encoded, query included) or a URL with a
    /// scheme that carries media. Anything else is shown as text.
    pub href: String,
}

impl Link {
    /// The stream at `path` (as configured) with a query, as `keyframe=next`; labelled `?keyframe=next`.
    pub fn with_query(path: &str, query: &str) -> Self {
        Self { label: format!("?{query}"), href: format!("{}?{query}", Encoded::of_path(path)) }
    }
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamStatus {
    /// Its name.
    pub name: String,
    /// Its path, as configured: `/cams/front.ts`. The page links to it.
    pub path: String,
    /// The feeds it is made of, by name.
    pub feeds: Vec<String>,
    /// Its command line in display form; none if it is passed through.
    pub command: Option<String>,
    /// The container, as `MpegTs`, once known.
    pub container: Option<String>,
    /// The media type it is sent with, once known.
    pub content_type: Option<String>,
    /// The tracks, once known.
    pub tracks: Vec<Track>,
    /// How it is doing.
    pub state: State,
    /// Since when it has been in that state.
    pub since: Moment,
    /// Viewers now.
    pub viewers: u64,
    /// Bytes sent to viewers since the program started.
    pub bytes_out: u64,
    /// What the stream itself amounts to, in bits per second.
    pub bitrate_bps: u64,
    /// What is sent to all its viewers together, in bits per second.
    pub egress_bps: u64,
    /// How often a viewer was too slow and was moved to a newer random access point.
    pub skips: u64,
    /// The last group of pictures was larger than what is kept of it, so that `?keyframe=last` waits like `next`.
    pub gop_too_long: bool,
    /// How often its process was begun again.
    pub restarts: u64,
    /// How its process ended last.
    pub last_exit: Option<LastExit>,
    /// The process that runs now.
    pub pid: Option<u32>,
    /// Where snapshots are: `/cams/front.ts/pic`, as configured; none if there are none.
    pub snapshot_path: Option<String>,
    /// Other ways to ask for it, beside `path` and `snapshot_path`, which are linked anyway.
    pub links: Vec<Link>,
}

//! The annotation that asks for a restart: another text in it runs that Feed's or Stream's command anew.

use std::collections::BTreeMap;

/// The annotation's name.
pub const RESTART: &str = "millrace.dev/restart";
/// The most bytes of its text that count.
pub const MAX_RESTART: usize = 64;

/// What the annotation says, by the names of objects that have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restarts {
    /// Of Feeds.
    pub feeds: BTreeMap<String, String>,
    /// Of Streams.
    pub streams: BTreeMap<String, String>,
}

/// As much of the annotation's text as counts.
pub fn restart_text(written: &str) -> String {
    written.get(..written.floor_char_boundary(MAX_RESTART)).unwrap_or_default().to_owned()
}

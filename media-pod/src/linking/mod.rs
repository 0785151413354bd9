//! What both ends of a link between media pods need: who they are, whom they believe, and what they call things.

mod client;
mod identity;
mod lines;
pub mod publishing;
mod trust;

use std::time::Duration;

pub use client::Client;
pub use identity::{Identity, LinkFiles};
pub use lines::{Lines, LinkInfo, Listed, ListedSession, Peer, SessionInfo, Tally};
pub use trust::Trusted;

/// Content sessions on one link, and so channels, at most.
pub const MAX_SESSIONS: usize = 16 << 10;
/// Between two looks at the files that a link needs.
const LOOK: Duration = Duration::from_secs(2);
/// None of these files is longer, in bytes.
const LARGEST: u64 = 4 << 20;

/// Reads a file that is not too large.
pub(crate) fn read(file: &std::path::Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(file)?.len() > LARGEST {
        return Err(std::io::Error::other("is longer than 4 MiB"));
    }
    std::fs::read(file)
}

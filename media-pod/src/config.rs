//! The configuration: read from files or pushed by an operator, taken or refused.

mod files;
mod follow;
mod reports;
mod taker;

use std::{io, path::PathBuf};

use millrace_crds::{Diagnostic, Loaded, Resolved};

pub use files::Texts;
pub use follow::Follower;
pub use reports::{Refused, Report, Reports};
pub use taker::{Taken, Taker, report};

use crate::not_yet;

/// Where the file is looked for if nobody says.
pub const DEFAULT: &str = "/etc/millrace/millrace.yaml";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is too large.
    #[error("{}: is larger than 16 MiB, and so no configuration", .0.display())]
    Size(PathBuf),
    /// It is for another part of a cluster.
    #[error(
        "a balancer runs no Feeds and Streams: give it the Cluster and the Secrets that this names, and the rest to \
         `media-pod run --link-to`; here are {0} Feeds and {1} Streams"
    )]
    Balancer(usize, usize),
    /// It is wrong: all that is.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Diagnostic>),
}

impl ConfigError {
    /// All that is wrong, one by one.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Wrong(diagnostics) => diagnostics.iter().map(ToString::to_string).collect(),
            other => vec![other.to_string()],
        }
    }
}

/// What a media pod may be given, beside what is right for all.
pub type Rule = fn(&Resolved) -> Result<(), ConfigError>;

/// A server pod runs anything.
pub fn for_server(_: &Resolved) -> Result<(), ConfigError> {
    Ok(())
}

/// A balancer has what server pods have, and nothing of its own.
pub fn for_balancer(resolved: &Resolved) -> Result<(), ConfigError> {
    match (resolved.feeds.len(), resolved.streams.len()) {
        (0, 0) => Ok(()),
        (feeds, streams) => Err(ConfigError::Balancer(feeds, streams)),
    }
}

/// What `files` say, as one configuration.
pub fn load(files: &[PathBuf]) -> Result<(Texts, Loaded), ConfigError> {
    let texts = Texts::read(files)?;
    let loaded = texts.understand()?;
    Ok((texts, loaded))
}

/// The names of `files`, for people.
pub fn named(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// What a person should know of it, though it is right.
pub fn warnings(loaded: &Loaded) -> Vec<String> {
    let written = loaded.warnings.iter().map(ToString::to_string);
    written.chain(not_yet::without_effect(&loaded.resolved)).collect()
}

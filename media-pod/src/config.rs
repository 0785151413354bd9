//! The configuration: read from files or pushed by an operator, taken or refused.

mod files;
mod follow;
mod reports;
mod taker;

use std::{io, path::PathBuf};

use millrace_crds::{Diagnostic, Loaded};

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

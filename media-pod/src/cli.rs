//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{config, logging};

/// Live media from feeds to viewers, in one process.
#[derive(Debug, Parser)]
#[command(name = "media-pod", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the feeds and streams of a file and serve them; an edit of the file is taken while it runs.
    Run(Run),
    /// Say all that is wrong with a file, each with its line, its field and what would be right.
    Check(File),
    /// Print the final form of a file: without templates, sets and arguments.
    Resolve(File),
}

/// A configuration file.
#[derive(Debug, Args)]
pub struct File {
    /// The file: Feeds, Streams, a Cluster, Secrets, as for `kubectl apply`.
    #[arg(short = 'f', long = "file", value_name = "FILE", default_value = config::DEFAULT)]
    pub file: PathBuf,
}

/// How to run.
#[derive(Debug, Args)]
pub struct Run {
    /// The file.
    #[command(flatten)]
    pub file: File,
    /// Listen here for HTTP, instead of where the Cluster says; may be given more than once.
    #[arg(long, value_name = "ADDRESS")]
    pub http: Vec<SocketAddr>,
    /// Listen here for HTTPS, instead of where the Cluster says; may be given more than once.
    #[arg(long, value_name = "ADDRESS")]
    pub https: Vec<SocketAddr>,
    /// The format of the log.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: logging::Format,
    /// How much to log: error, warn, info, debug or trace, or by module as in `RUST_LOG`.
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "LEVEL")]
    pub log_level: String,
    /// Threads that send to viewers; as many as there are cores if this is not said.
    #[arg(long, value_name = "NUMBER")]
    pub egress_threads: Option<usize>,
}

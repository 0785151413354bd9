//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{
    config, edge, logging, member, origin,
    play::{Play, Publish},
    runners,
};

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
    Run(Box<Run>),
    /// Serve what server pods have: they dial here, and any number of viewers costs them one copy of each stream.
    Balance(Box<Balance>),
    /// Write a stream to standard output: `media-pod play millrace://HOST/PATH | ffplay -`.
    Play(Play),
    /// Publish standard input to a Feed.
    Publish(Publish),
    /// Say all that is wrong with a file, each with its line, its field and what would be right.
    Check(Files),
    /// Print the final form of a file: without templates, sets and arguments.
    Resolve(Files),
}

/// A configuration.
#[derive(Debug, Args)]
pub struct Files {
    /// The file: Feeds, Streams, a Cluster, Secrets, as for `kubectl apply`. More than one are read as if they were one.
    #[arg(short = 'f', long = "file", value_name = "FILE", default_value = config::DEFAULT)]
    pub files: Vec<PathBuf>,
}

/// How to run.
#[derive(Debug, Args)]
pub struct Run {
    /// What every media pod does.
    #[command(flatten)]
    pub serve: Serve,
    /// The balancers, if there are any.
    #[command(flatten)]
    pub origin: origin::Options,
    /// The `millrace-exec serve` that runs the commands of an image; may be given more than once. Without it this program runs
    /// all of them itself.
    #[arg(long, value_name = "IMAGE=SOCKET")]
    pub runner: Vec<runners::Address>,
    /// Where files are whose path in a Feed does not begin with `/`.
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/millrace/media")]
    pub media: PathBuf,
}

/// How to balance.
#[derive(Debug, Args)]
pub struct Balance {
    /// What every media pod does.
    #[command(flatten)]
    pub serve: Serve,
    /// The links.
    #[command(flatten)]
    pub edge: edge::Options,
}

/// What every media pod does.
#[derive(Debug, Args)]
pub struct Serve {
    /// The files.
    #[command(flatten)]
    pub config: Files,
    /// The cluster, if it is a member of one.
    #[command(flatten)]
    pub member: member::Options,
    /// Listen here for HTTP, instead of where the Cluster says; may be given more than once.
    #[arg(long, value_name = "ADDRESS")]
    pub http: Vec<SocketAddr>,
    /// Listen here for HTTPS, instead of where the Cluster says; may be given more than once.
    #[arg(long, value_name = "ADDRESS")]
    pub https: Vec<SocketAddr>,
    /// Listen here for probes and for other media pods of the Cluster, without passwords: for inside a cluster only.
    #[arg(long, value_name = "ADDRESS")]
    pub internal: Vec<SocketAddr>,
    /// At SIGTERM, say at once at /readyz that the end is near, and let viewers watch on for so long at most; the operator
    /// moves what runs meanwhile. By default 30 as a member of a cluster, and else 0.
    #[arg(long, value_name = "SECONDS")]
    pub drain: Option<u64>,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_makes_sense() {
        super::Cli::command().debug_assert();
    }
}

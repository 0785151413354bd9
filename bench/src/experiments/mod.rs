//! The experiments, each of which adds its lines to the report.

pub mod balancer;
pub mod failover_peers;
pub mod fanout;
mod finder;
pub mod idle;
pub mod join;
pub mod memory;
pub mod reload;
pub mod stuck;
mod window;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use tempfile::TempDir;

use crate::clip::{self, Clip, Mode};
use crate::servers::tls::{self, Identity};
use crate::servers::{Kind, Server, Setup, find_program};

/// Which experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Experiment {
    /// CPU per delivered byte at 150 and 500 viewers, and latency at 500
    Fanout,
    /// Latency of one viewer
    Latency,
    /// Resident memory that a viewer adds: plain, TLS, HTTP/2
    Memory,
    /// 500 viewers that stop reading
    Stuck,
    /// From request to a picture with `?keyframe`
    Join,
    /// What waits costs: a Continuous feed that nobody watches, 1,000 `OnDemand` feeds
    Idle,
    /// A reload with 1,000 streams, one of which changed
    Reload,
    /// A balancer beside the server's own fan-out
    Balancer,
    /// An origin is killed behind haproxy, nginx and a balancer
    FailoverPeers,
}

/// What all experiments share.
pub struct Lab {
    /// The media pod's program.
    pub pod: PathBuf,
    /// Who is measured.
    pub kinds: Vec<Kind>,
    /// How often.
    pub rounds: usize,
    /// Seconds of a window.
    pub seconds: f64,
    /// Shortened everywhere.
    pub quick: bool,
    /// The clip with a key frame a second.
    pub clip: Arc<Clip>,
    clips: PathBuf,
    identity: Identity,
    _dir: TempDir,
}

impl Lab {
    /// Makes the clips and sees who is there to be measured. Says what is left out.
    pub fn open(
        pod: PathBuf,
        wanted: &[Kind],
        quick: bool,
        rounds: Option<usize>,
    ) -> Result<(Self, Vec<String>)> {
        crate::limits::need_files(1_200)?;
        let clips = std::env::current_exe()?.with_file_name("bench-clips");
        let dir = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
        let mut left_out = Vec::new();
        let mut kinds: Vec<_> = if wanted.is_empty() { Kind::ALL.to_vec() } else { wanted.to_vec() };
        if kinds.contains(&Kind::Pod) && !pod.is_file() {
            left_out.push(format!(
                "there is no media pod at {}: `cargo build --release -p millrace-media-pod`",
                pod.display()
            ));
            kinds.retain(|k| *k != Kind::Pod);
        }
        if kinds.contains(&Kind::Icecast) && find_program("icecast2").is_none() {
            left_out.push("there is no icecast2: `apt-get install icecast2`".to_owned());
            kinds.retain(|k| *k != Kind::Icecast);
        }
        let lab = Self {
            pod,
            kinds,
            rounds: rounds.unwrap_or(if quick { 1 } else { 5 }),
            seconds: if quick { 1.5 } else { 4.0 },
            quick,
            clip: Arc::new(clip::prepare(&clips, 20, 1)?),
            clips,
            identity: tls::identity(dir.path())?,
            _dir: dir,
        };
        Ok((lab, left_out))
    }

    /// The clip with a key frame every ten seconds.
    fn long_gop(&self) -> Result<Arc<Clip>> {
        Ok(Arc::new(clip::prepare(&self.clips, 30, 10)?))
    }

    fn start(&self, kind: Kind, mode: Mode) -> Result<Server> {
        Server::start(kind, &Setup { pod: &self.pod, clip: &self.clip, mode, tls: None })
    }

    /// The servers in the order of this round: who is first changes.
    fn order(&self, round: usize) -> Vec<Kind> {
        let mut kinds = self.kinds.clone();
        let by = round % kinds.len().max(1);
        kinds.rotate_left(by);
        kinds
    }

    fn has_pod(&self) -> bool {
        self.kinds.contains(&Kind::Pod)
    }
}

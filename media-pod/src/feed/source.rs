//! One run of a feed's source: started, read to its end, ended.

use std::{io, time::Instant};

use bytes::Bytes;
use millrace_exec::{Agent, Exit, Process, Spec};
use tokio::net::unix::pipe;

use super::file::FileRun;
use crate::{buffer::ReadBuffer, feed::FeedSpec, state::LastExit};

/// What a source starts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The standard output of a command.
    Command(Box<Spec>),
    /// A file, or a named pipe.
    File {
        /// Where it is.
        path: std::path::PathBuf,
        /// Begin again at its end.
        looped: bool,
        /// At the speed of its timestamps.
        paced: bool,
    },
    /// Nothing that this program can carry out: says what and why.
    Unsupported(String),
}

/// A source that runs.
#[derive(Debug)]
pub struct Run {
    kind: Kind,
    began: Instant,
}

#[derive(Debug)]
enum Kind {
    Command { process: Box<Process>, stdout: pipe::Receiver, buffer: ReadBuffer },
    Pipe { pipe: pipe::Receiver, buffer: ReadBuffer },
    File(FileRun),
}

impl Run {
    /// Starts it. The error says what would be right.
    pub async fn start(spec: &FeedSpec, agent: &Agent) -> Result<Self, LastExit> {
        let kind = match &spec.source {
            Source::Command(command) => {
                let mut process = agent.start((**command).clone()).await.map_err(|e| LastExit::of(&e))?;
                let Some(stdout) = process.stdout.take() else {
                    return Err(LastExit::of(&"the command was started without an output"));
                };
                Kind::Command { process: Box::new(process), stdout, buffer: ReadBuffer::default() }
            }
            Source::File { path, looped, paced } => {
                let named = |e: io::Error| LastExit::of(&format!("{}: {e}", path.display()));
                let found = tokio::fs::metadata(path).await.map_err(named)?;
                if std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type()) {
                    let pipe = pipe::OpenOptions::new().open_receiver(path).map_err(named)?;
                    Kind::Pipe { pipe, buffer: ReadBuffer::default() }
                } else if found.is_dir() {
                    return Err(LastExit::of(&format!(
                        "{}: is a directory, not a file or named pipe",
                        path.display()
                    )));
                } else {
                    let expected = spec.container;
                    Kind::File(FileRun::open(path.clone(), *looped, *paced, expected).await.map_err(named)?)
                }
            }
            Source::Unsupported(why) => return Err(LastExit::of(why)),
        };
        Ok(Self { kind, began: Instant::now() })
    }

    /// The process, where there is one.
    pub fn pid(&self) -> Option<u32> {
        match &self.kind {
            Kind::Command { process, .. } => Some(process.pid()),
            Kind::Pipe { .. } | Kind::File(_) => None,
        }
    }

    /// When it began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Whether it keeps no time of its own, and goes as fast as it is read.
    pub fn unpaced(&self) -> bool {
        matches!(&self.kind, Kind::File(file) if !file.paced())
    }

    /// Whether silence means that it is broken: a named pipe is silent while nobody writes it.
    pub fn must_not_be_silent(&self) -> bool {
        matches!(self.kind, Kind::Command { .. })
    }

    /// The next bytes; empty at the end. Cancel safe.
    pub async fn read(&mut self) -> io::Result<Bytes> {
        match &mut self.kind {
            Kind::Command { stdout, buffer, .. } => buffer.read(stdout).await,
            Kind::Pipe { pipe, buffer } => buffer.read(pipe).await,
            Kind::File(file) => file.read().await,
        }
    }

    /// It gives nothing any more: ends what is left of it, and says how it ended.
    pub async fn end(self) -> LastExit {
        match self.kind {
            Kind::Command { mut process, stdout, .. } => {
                drop(stdout);
                process.stop();
                process.wait().await.into()
            }
            Kind::Pipe { .. } => LastExit::of(&"the writer of the named pipe closed it"),
            Kind::File(_) => LastExit::of(&"the end of the file"),
        }
    }
}

impl From<Exit> for LastExit {
    fn from(exit: Exit) -> Self {
        let reason = exit.to_string();
        Self {
            code: exit.code,
            signal: exit.signal,
            at: std::time::SystemTime::now(),
            reason,
            stderr: exit.stderr,
        }
    }
}

impl LastExit {
    /// An end that no process had.
    pub fn of(why: &dyn ToString) -> Self {
        let at = std::time::SystemTime::now();
        Self { code: None, signal: None, at, reason: why.to_string(), stderr: Vec::new() }
    }
}

//! One run of a feed's source: started, read to its end, ended.

use std::{io, os::fd::OwnedFd, path::PathBuf, sync::Arc, time::Instant};

use bytes::Bytes;
use millrace_bus::{Channel, egress::Pumping};
use millrace_exec::{Exit, Process};
use millrace_http::fetch;
use rustix::fs::{Mode, OFlags};

use super::{
    FEEDS, FeedSpec,
    file::FileRun,
    point::{Offer, Point},
};
use crate::{
    inlet::{Inlet, News},
    runners::Command,
    shop::Shop,
    state::LastExit,
};

/// What a source starts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The standard output of a command.
    Command(Box<Command>),
    /// A file, or a named pipe.
    File {
        /// Where it is.
        path: PathBuf,
        /// Begin again at its end.
        looped: bool,
        /// At the speed of its timestamps.
        paced: bool,
    },
    /// A feed of this name, of another media pod of the Cluster.
    Remote(String),
    /// Whoever sends to this path.
    Publish {
        /// Where to send to.
        path: String,
        /// Why nobody may by HTTP, and by a link, if so.
        closed: Option<String>,
    },
    /// Nothing that this program can carry out: says what and why.
    Unsupported(String),
}

/// A source that runs.
#[derive(Debug)]
pub struct Run {
    kind: Kind,
    number: u64,
    began: Instant,
}

#[derive(Debug)]
enum Kind {
    Command(Box<Process>, Piped),
    Pipe(PathBuf, Piped),
    /// From this address.
    Remote(String, Piped),
    File(FileRun),
    /// The offer is there from the time that it flows.
    Publish(Point, Option<Offer>),
}

/// A pipe or socket, before and after it is given to who reads it.
#[derive(Debug)]
enum Piped {
    /// And what was read of it already.
    Waits(Option<(OwnedFd, Bytes)>),
    Flows(Pumping),
}

impl Run {
    /// Starts it. The error says what would be right.
    pub async fn start(spec: &FeedSpec, shop: &Shop, point: &Point) -> Result<Self, LastExit> {
        let kind = match &spec.source {
            Source::Command(command) => {
                let mut process = shop.runners.start(command).await.map_err(|e| LastExit::of(&e))?;
                let pipe = process.stdout.take().map(tokio::net::unix::pipe::Receiver::into_nonblocking_fd);
                let Some(Ok(pipe)) = pipe else {
                    return Err(LastExit::of(&"the command was started without an output"));
                };
                Kind::Command(Box::new(process), Piped::Waits(Some((pipe, Bytes::new()))))
            }
            Source::File { path, looped, paced } => {
                let named = |e: io::Error| LastExit::of(&format!("{}: {e}", path.display()));
                let found = tokio::fs::metadata(path).await.map_err(named)?;
                if std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type()) {
                    let pipe = open_pipe(path).map_err(named)?;
                    Kind::Pipe(path.clone(), Piped::Waits(Some((pipe, Bytes::new()))))
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
            Source::Remote(name) => connect(name, shop).await.map_err(|why| LastExit::of(&why))?,
            Source::Publish { .. } => Kind::Publish(point.clone(), None),
            Source::Unsupported(why) => return Err(LastExit::of(why)),
        };
        Ok(Self { kind, number: 0, began: Instant::now() })
    }

    /// Its bytes come in by `inlet` from now on, and are published on `channels`.
    pub fn flow(&mut self, inlet: &Inlet, channels: &[Arc<Channel>], shop: &Shop) {
        self.number = inlet.begin_run();
        if let Kind::Publish(point, offer) = &mut self.kind {
            *offer = Some(point.offer(inlet, self.number));
        }
        if let Kind::Command(_, piped) | Kind::Pipe(_, piped) | Kind::Remote(_, piped) = &mut self.kind
            && let Piped::Waits(pipe) = piped
            && let Some((pipe, first)) = pipe.take()
        {
            if !first.is_empty() {
                inlet.take(self.number, &first);
            }
            *piped = Piped::Flows(inlet.pump(&shop.egress, channels, pipe, self.number));
        }
    }

    /// It is published on `channels` from now on.
    pub fn publishes_on(&self, channels: &[Arc<Channel>]) {
        if let Kind::Command(_, Piped::Flows(pumping))
        | Kind::Pipe(_, Piped::Flows(pumping))
        | Kind::Remote(_, Piped::Flows(pumping)) = &self.kind
        {
            pumping.publishes_on(channels);
        }
    }

    /// The process, where there is one.
    pub fn pid(&self) -> Option<u32> {
        match &self.kind {
            Kind::Command(process, _) => Some(process.pid()),
            Kind::Pipe(..) | Kind::Remote(..) | Kind::File(_) | Kind::Publish(..) => None,
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

    /// Whether silence means that it is broken: a named pipe is silent while nobody writes it, and of a feed of another
    /// media pod that one judges. Who publishes is judged where it is read.
    pub fn must_not_be_silent(&self) -> bool {
        matches!(self.kind, Kind::Command(..))
    }

    /// For a named pipe: a reader that does not read. While there is one, who writes between two runs is not told that
    /// nobody reads.
    pub fn anchor(&self) -> Option<OwnedFd> {
        match &self.kind {
            Kind::Pipe(path, _) => open_pipe(path).ok(),
            Kind::Command(..) | Kind::Remote(..) | Kind::File(_) | Kind::Publish(..) => None,
        }
    }

    /// Until something is new, or, with a file, a piece of it was taken in. Cancel safe.
    pub async fn next(&mut self, inlet: &Inlet) -> Option<News> {
        let Kind::File(file) = &mut self.kind else { return Some(inlet.news().await) };
        match file.read().await {
            Ok(bytes) if bytes.is_empty() => inlet.ended(self.number, Ok(())),
            Ok(bytes) => {
                inlet.take(self.number, &bytes);
            }
            Err(e) => inlet.ended(self.number, Err(e)),
        }
        inlet.news_now()
    }

    /// It gives nothing any more: ends what is left of it, and says how it ended.
    pub async fn end(self) -> LastExit {
        match self.kind {
            Kind::Command(mut process, piped) => {
                drop(piped);
                process.stop();
                process.wait().await.into()
            }
            Kind::Remote(address, _) => LastExit::of(&format!("the connection to {address} ended")),
            Kind::Pipe(..) => LastExit::of(&"the writer of the named pipe closed it"),
            Kind::File(_) => LastExit::of(&"the end of the file"),
            Kind::Publish(..) => LastExit::of(&"nothing is taken from publishers any more"),
        }
    }
}

/// To whoever runs the feed of that name.
async fn connect(name: &str, shop: &Shop) -> Result<Kind, String> {
    let directory = shop.directory.load_full();
    let Some(address) = directory.feeds.get(name) else {
        return Err(format!("no media pod is known yet that runs feed {name}"));
    };
    let path = format!("{FEEDS}{name}");
    let fetched = fetch(address, &path, &directory.token).await.map_err(|e| e.to_string())?;
    Ok(Kind::Remote(address.clone(), Piped::Waits(Some((fetched.socket.into(), fetched.first)))))
}

fn open_pipe(path: &std::path::Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
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

//! The client: what the media pod calls.

mod local;
mod pipes;
mod presence;
mod process;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

use local::Local;
use pipes::Pipes;
pub use presence::Presence;
pub use process::{Handle, Process};

use crate::error::ExecError;
use crate::fdpass;
use crate::frame::{self, Decoder, MAX_FRAME};
use crate::message::{MAX_REPLY, Reply};
use crate::spec::Spec;

/// How long an agent may take to start a command.
const PATIENCE: Duration = Duration::from_secs(10);

/// A handle to an agent, cheap to clone. When the last handle and the last [`Process`] of it are gone, a local
/// agent ends.
#[derive(Debug, Clone)]
pub struct Agent {
    way: Arc<Way>,
}

/// How the agent is reached.
#[derive(Debug)]
enum Way {
    /// A child of this process; none when it could not be started again.
    Local { exe: PathBuf, agent: Mutex<Option<Arc<Local>>>, restart: tokio::sync::Mutex<()> },
    /// Whoever listens there.
    Socket(PathBuf),
}

impl Agent {
    /// Starts an agent as a child of this process. It is this executable again, which therefore calls
    /// [`maybe_run_agent`](crate::maybe_run_agent) first thing in `main`. An agent that died is started again by the next [`Agent::start`].
    ///
    /// Waits a few milliseconds for the agent; needs no runtime.
    pub fn spawn_local() -> Result<Self, ExecError> {
        Self::spawn_from("/proc/self/exe")
    }

    /// As [`Agent::spawn_local`], of another executable that calls [`maybe_run_agent`](crate::maybe_run_agent):
    /// for tests, whose own `main` is not theirs.
    pub fn spawn_from(exe: impl Into<PathBuf>) -> Result<Self, ExecError> {
        let exe = exe.into();
        let agent = Mutex::new(Some(Arc::new(Local::spawn(&exe)?)));
        Ok(Self { way: Arc::new(Way::Local { exe, agent, restart: tokio::sync::Mutex::new(()) }) })
    }

    /// An agent that listens on a Unix socket (`millrace-exec serve`), in another container perhaps. Every command is a
    /// connection of its own, so this does nothing yet, and an agent that comes back is found again.
    pub fn connect(path: impl Into<PathBuf>) -> Self {
        Self { way: Arc::new(Way::Socket(path.into())) }
    }

    /// The process id of a local agent, if it was alive when last needed.
    pub fn local_pid(&self) -> Option<u32> {
        match &*self.way {
            Way::Local { agent, .. } => {
                agent.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|local| local.pid())
            }
            Way::Socket(_) => None,
        }
    }

    /// Starts a command. That there is no such program is not an error here, but an early [`Exit`](crate::Exit).
    ///
    /// Needs a tokio runtime. If the future is dropped, nothing runs.
    pub async fn start(&self, spec: Spec) -> Result<Process, ExecError> {
        let start = spec.to_start()?;
        let frame = frame::encode(&start, MAX_FRAME)
            .map_err(|error| ExecError::Spec { name: spec.name.clone(), problem: error.to_string() })?;
        // an agent may die with the connection in its hands: the next one is asked, once
        match self.try_start(&spec, &frame).await {
            Err(ExecError::AgentLost(name)) if matches!(&*self.way, Way::Local { .. }) => {
                tracing::warn!(command = name, "the agent died; it is started again");
                self.try_start(&spec, &frame).await
            }
            done => done,
        }
    }

    async fn try_start(&self, spec: &Spec, frame: &[u8]) -> Result<Process, ExecError> {
        let (ours, theirs) =
            Pipes::make(spec).map_err(ExecError::io("cannot make the pipes of a command"))?;
        let lost = || ExecError::AgentLost(spec.name.clone());
        let late = |_| ExecError::Timeout(spec.name.clone());
        let control = Arc::new(timeout(PATIENCE, self.connection()).await.map_err(late)??);
        let mut decoder = Decoder::new(MAX_REPLY);
        let started = async {
            send(&control, frame, &theirs).await?;
            drop(theirs);
            next_reply(&control, &mut decoder).await
        };
        let answer = |problem: String| ExecError::Answer { name: spec.name.clone(), problem };
        let reply = match timeout(PATIENCE, started).await {
            Err(elapsed) => return Err(late(elapsed)),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(answer(error.to_string()));
            }
            // what cannot be written may have been answered
            Ok(Err(_)) => next_reply(&control, &mut decoder).await.map_err(|_| lost())?,
            Ok(Ok(reply)) => reply,
        };
        match reply {
            Some(Reply::Started { pid }) => {
                tracing::debug!(command = spec.name, pid, "started");
                Ok(Process::new(spec, pid, ours, control, decoder, Arc::clone(&self.way)))
            }
            Some(Reply::Refused { problem }) => Err(ExecError::Refused { name: spec.name.clone(), problem }),
            Some(Reply::Exited(_) | Reply::Here) => Err(answer("an end without a beginning".to_owned())),
            None => Err(lost()),
        }
    }

    /// A new connection to a supervisor.
    async fn connection(&self) -> Result<UnixStream, ExecError> {
        match &*self.way {
            Way::Socket(path) => {
                connect(path).await.map_err(|source| ExecError::Connect { path: path.clone(), source })
            }
            Way::Local { .. } => {
                let failed = ExecError::io("cannot make the socket of a command");
                let (near, far) = StdStream::pair().map_err(failed)?;
                let far = OwnedFd::from(far);
                while !self.hand_over(&far).await? {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                near.set_nonblocking(true)
                    .and_then(|()| UnixStream::from_std(near))
                    .map_err(ExecError::io("cannot use the socket of a command"))
            }
        }
    }

    /// Gives the local agent the far end of a connection; false if that has to be tried again.
    async fn hand_over(&self, connection: &OwnedFd) -> Result<bool, ExecError> {
        if let Some(local) = self.living()
            && let Some(taken) = local.hand(connection)
        {
            return Ok(taken);
        }
        let Way::Local { exe, agent, restart } = &*self.way else { return Ok(false) };
        let _one_at_a_time = restart.lock().await;
        if self.living().is_some() {
            return Ok(false);
        }
        let exe = exe.clone();
        let spawned = tokio::task::spawn_blocking(move || Local::spawn(&exe)).await;
        let spawned =
            spawned.map_err(io::Error::other).map_err(ExecError::io("cannot start the agent again"))?;
        *agent.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(spawned?));
        Ok(false)
    }

    fn living(&self) -> Option<Arc<Local>> {
        match &*self.way {
            Way::Local { agent, .. } => {
                agent.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|local| local.is_alive())
            }
            Way::Socket(_) => None,
        }
    }
}

/// Connects; waits as long as too many others do.
async fn connect(path: &std::path::Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            done => return done,
        }
    }
}

/// Sends a frame, its descriptors with the first byte.
async fn send(control: &UnixStream, mut bytes: &[u8], fds: &[OwnedFd]) -> io::Result<()> {
    let mut fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    while !bytes.is_empty() {
        let sent = control
            .async_io(Interest::WRITABLE, || {
                fdpass::send(control, bytes, &fds, SendFlags::DONTWAIT).map_err(io::Error::from)
            })
            .await;
        let sent = match sent {
            // a user may have so many descriptors under way only: others' will have arrived soon
            Err(error) if error.raw_os_error() == Some(Errno::TOOMANYREFS.raw_os_error()) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            done => done?,
        };
        fds.clear();
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// The next message of the supervisor, none at the end of the connection. Cancel safe.
async fn next_reply(control: &UnixStream, decoder: &mut Decoder) -> io::Result<Option<Reply>> {
    let invalid =
        |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    loop {
        if let Some(frame) = decoder.next_frame().map_err(|error| invalid(&error))? {
            return serde_json::from_slice(&frame).map(Some).map_err(|error| invalid(&error));
        }
        control.readable().await?;
        let mut bytes = [0; 4096];
        match control.try_read(&mut bytes) {
            Ok(0) => return Ok(None),
            Ok(count) => decoder.push(bytes.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

//! A command that runs.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::{Shutdown, shutdown};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::task::JoinHandle;

use super::pipes::Pipes;
use super::{Way, next_reply};
use crate::exit::{Exit, Reason};
use crate::frame::Decoder;
use crate::message::{Ended, KILL, Reply, STOP};
use crate::spec::Spec;
use crate::tail::Tail;

/// How long to wait for the last of stderr when the command is gone.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The most lines of stderr that are logged of one read; the rest of a flood is only kept.
const LOGGED: usize = 8;

/// A command that runs. Dropping it kills it at once, with all that it started.
#[derive(Debug)]
pub struct Process {
    /// Its stdin, if [`Spec::stdin`](crate::Spec::stdin). Dropping it is the end of the input.
    pub stdin: Option<Sender>,
    /// Its descriptors 3, 4, …, as many as [`Spec::extra_inputs`](crate::Spec::extra_inputs).
    pub inputs: Vec<Sender>,
    /// Its stdout, if [`Spec::stdout`](crate::Spec::stdout).
    pub stdout: Option<Receiver>,
    name: String,
    pid: u32,
    since: Instant,
    handle: Handle,
    decoder: Decoder,
    ended: Option<End>,
    exit: Option<Exit>,
    tail: Arc<Mutex<Tail>>,
    stderr: JoinHandle<()>,
    /// Keeps a local agent alive.
    _way: Arc<Way>,
}

/// How the connection ended: with the supervisor's account, or without.
#[derive(Debug, Clone)]
enum End {
    Told(Ended),
    Untold,
}

/// Ends a command from elsewhere. It does not keep the command alive.
#[derive(Debug, Clone)]
pub struct Handle {
    control: Arc<UnixStream>,
}

impl Handle {
    /// As [`Process::stop`].
    pub fn stop(&self) {
        self.order(STOP);
    }

    /// As [`Process::kill`].
    pub fn kill(&self) {
        self.order(KILL);
    }

    fn order(&self, order: u8) {
        let written = self.control.try_write(&[order]);
        if written.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            // nobody reads there: the end of the connection is an order that is always heard
            self.hang_up(Shutdown::Write);
        }
    }

    fn hang_up(&self, how: Shutdown) {
        let _ = shutdown(&*self.control, how);
    }
}

impl Process {
    pub(super) fn new(
        spec: &Spec,
        pid: u32,
        pipes: Pipes,
        control: Arc<UnixStream>,
        decoder: Decoder,
        way: Arc<Way>,
    ) -> Self {
        let tail = Arc::new(Mutex::new(Tail::new(spec.secrets.clone())));
        let stderr = tokio::spawn(keep_stderr(pipes.stderr, Arc::clone(&tail), spec.name.clone()));
        Self {
            stdin: pipes.stdin,
            inputs: pipes.inputs,
            stdout: pipes.stdout,
            name: spec.name.clone(),
            pid,
            since: Instant::now(),
            handle: Handle { control },
            decoder,
            ended: None,
            exit: None,
            tail,
            stderr,
            _way: way,
        }
    }

    /// The command's process id, where the agent is: in another container it means nothing here.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What can end the command from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until the command has ended and nothing that it started runs any more. Cancel safe; the same answer every time.
    ///
    /// A command that reads its input to the end needs its [`Process::stdin`] dropped first.
    pub async fn wait(&mut self) -> Exit {
        if let Some(exit) = &self.exit {
            return exit.clone();
        }
        // what was read is kept: this future may be dropped at any await
        while self.ended.is_none() {
            match next_reply(&self.handle.control, &mut self.decoder).await {
                Ok(Some(Reply::Exited(ended))) => self.ended = Some(End::Told(ended)),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => self.ended = Some(End::Untold),
            }
        }
        if !self.stderr.is_finished() && tokio::time::timeout(LAST_WORDS, &mut self.stderr).await.is_err() {
            self.stderr.abort();
        }
        let exit = self.exit();
        tracing::debug!(command = self.name, pid = self.pid, "{exit}");
        self.exit.insert(exit).clone()
    }

    fn exit(&self) -> Exit {
        let stderr = self.stderr_tail();
        match self.ended.clone() {
            Some(End::Told(Ended { code, signal, reason, detail, ran_us })) => {
                Exit { code, signal, reason, detail, stderr, ran: Duration::from_micros(ran_us) }
            }
            Some(End::Untold) | None => Exit {
                code: None,
                signal: None,
                reason: Reason::AgentLost,
                detail: None,
                stderr,
                ran: self.since.elapsed(),
            },
        }
    }

    /// Asks it to end: SIGTERM to its process group, and SIGKILL to all of it two seconds later. Returns at once.
    pub fn stop(&self) {
        self.handle.stop();
    }

    /// Kills it and all that it started. Returns at once.
    pub fn kill(&self) {
        self.handle.kill();
    }

    /// Its last lines on stderr so far, oldest first: at most 40, of at most 512 bytes, without control characters
    /// and secrets. A progress line that is rewritten again and again is one line.
    pub fn stderr_tail(&self) -> Vec<String> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).lines()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // handles may live on; the connection must not
        self.handle.hang_up(Shutdown::Both);
        self.stderr.abort();
    }
}

async fn keep_stderr(stderr: Receiver, tail: Arc<Mutex<Tail>>, name: String) {
    let mut bytes = vec![0; 16 << 10];
    while stderr.readable().await.is_ok() {
        match stderr.try_read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                let lines = tail.push(bytes.get(..count).unwrap_or_default());
                if tracing::enabled!(tracing::Level::TRACE) {
                    tail.newest(lines.min(LOGGED)).for_each(|line| tracing::trace!(command = name, "{line}"));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

//! The agent: gives every connection a supervisor, and tidies up after supervisors that died.

mod serve;
mod source;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitStatus, getpid, getrlimit, kill_process, setrlimit,
};

pub use serve::{ServeOptions, serve};
use source::{Next, Source};

use crate::fdpass;
use crate::reap::{Reaped, kill_all, reap};
use crate::roles::{Role, complain};
use crate::{descendants, sweep};

/// What a local agent says first, so that the client knows that it is one.
pub(crate) const HELLO: &[u8] = b"millrace-exec 1";
/// The most commands of one agent.
pub(crate) const MAX_COMMANDS: usize = 4096;
/// How long supervisors may take to end what they run when the agent ends.
const FAREWELL: Duration = Duration::from_secs(12);

/// The part of a local agent: stdin is a socket to the client, whose end is ours.
pub(crate) fn run_local() -> ExitCode {
    let Ok(client) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    if fdpass::send_all(&client, HELLO, &[]).is_err() {
        return ExitCode::FAILURE;
    }
    match Source::client(client).and_then(|source| run(&source, None, MAX_COMMANDS)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("agent: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves connections until `source` ends or `stop` can be read; then ends all commands, and returns when nothing runs.
pub(crate) fn run(source: &Source, stop: Option<&OwnedFd>, most: usize) -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(getpid()))?;
    let descriptors = getrlimit(Resource::Nofile);
    // one descriptor for each supervisor; a refusal leaves what there is
    let _ = setrlimit(Resource::Nofile, Rlimit { current: descriptors.maximum, ..descriptors });
    let mut agent = Agent { supervised: Vec::new(), spare: None, dying: Vec::new(), mop: false, most };
    agent.spare = Supervised::spawn().ok();
    sweep::kill_marked_orphans();
    let done = loop {
        match agent.turn(source, stop) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    agent.farewell();
    done
}

/// A supervisor, and the end of its lifeline that keeps it alive.
struct Supervised {
    pid: Pid,
    lifeline: OwnedFd,
}

struct Agent {
    supervised: Vec<Supervised>,
    /// A supervisor that was started ahead, so that a command needs not wait for one.
    spare: Option<Supervised>,
    /// Supervisors that have let go of their lifeline and are not reaped yet.
    dying: Vec<Pid>,
    /// Whether a supervisor may have left something behind.
    mop: bool,
    most: usize,
}

impl Agent {
    /// Waits for one thing and does it. False at the end.
    fn turn(&mut self, source: &Source, stop: Option<&OwnedFd>) -> io::Result<bool> {
        let mut ready: Vec<PollFd<'_>> = Vec::with_capacity(self.supervised.len() + 3);
        ready.push(PollFd::new(source, PollFlags::IN));
        ready.push(PollFd::from_borrowed_fd(stop.map_or(source.as_fd(), AsFd::as_fd), PollFlags::IN));
        ready.extend(
            self.supervised.iter().chain(&self.spare).map(|one| PollFd::new(&one.lifeline, PollFlags::IN)),
        );
        let busy = self.mop || !self.dying.is_empty();
        let timeout = busy.then_some(Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
        match poll(&mut ready, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = ready.into_iter().map(|fd| !fd.revents().is_empty());
        let connection = ready.next().unwrap_or(false);
        let stopped = ready.next().unwrap_or(false) && stop.is_some();
        let ended: Vec<bool> = ready.collect();
        self.let_go(&ended);
        if !self.dying.is_empty() || self.mop {
            self.tidy();
        }
        if stopped {
            return Ok(false);
        }
        if connection {
            match source.next() {
                Next::Connection(connection) => self.give(&connection),
                Next::Nothing => {}
                Next::End => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Forgets the supervisors whose lifelines ended; `ended` is in the order of `supervised`, then the spare.
    fn let_go(&mut self, ended: &[bool]) {
        let mut ended = ended.iter();
        let dying = &mut self.dying;
        self.supervised.retain(|one| {
            let over = ended.next().copied().unwrap_or(false);
            if over {
                dying.push(one.pid);
            }
            !over
        });
        if ended.next().copied().unwrap_or(false) {
            dying.extend(self.spare.take().map(|one| one.pid));
        }
    }

    /// Reaps, and kills what supervisors that were killed left behind: children of ours that we never had.
    fn tidy(&mut self) {
        let Reaped { ended, .. } = reap();
        self.mop |=
            ended.iter().any(|(pid, status)| self.knows(*pid) && status.terminating_signal().is_some());
        self.dying.retain(|pid| !ended.contains_key(&pid.as_raw_nonzero().get()));
        if self.mop {
            self.mop = self.kill_strangers();
        }
    }

    /// Whether there were any.
    fn kill_strangers(&self) -> bool {
        let strangers: Vec<i32> =
            descendants::children().into_iter().filter(|pid| !self.knows(*pid)).collect();
        for pid in strangers.iter().copied().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        !strangers.is_empty()
    }

    fn knows(&self, pid: i32) -> bool {
        let supervisors = self.supervised.iter().chain(&self.spare).map(|one| one.pid);
        supervisors.chain(self.dying.iter().copied()).any(|known| known.as_raw_nonzero().get() == pid)
    }

    /// A connection that cannot be served is closed, which its client notices.
    fn give(&mut self, connection: &OwnedFd) {
        if self.supervised.len() >= self.most {
            complain(&format!("refused a command: {} run already", self.most));
            return;
        }
        let spare = self.spare.take();
        match spare.filter(|spare| spare.hand(connection)) {
            Some(supervised) => self.supervised.push(supervised),
            None => match Supervised::spawn() {
                Ok(supervised) if supervised.hand(connection) => self.supervised.push(supervised),
                Ok(supervised) => self.dying.push(supervised.pid),
                Err(error) => complain(&format!("cannot start a supervisor: {error}")),
            },
        }
        self.spare = Supervised::spawn().ok();
    }

    /// Ends everything. Supervisors do it, when their lifelines end; who does not in time is killed with all that is his.
    fn farewell(mut self) {
        let begun = Instant::now();
        let known: Vec<Pid> = self.supervised.drain(..).chain(self.spare.take()).map(|one| one.pid).collect();
        self.dying.extend(known);
        while begun.elapsed() < FAREWELL {
            let Reaped { ended, none_left } = reap();
            if none_left {
                return;
            }
            let killed = |status: &WaitStatus| status.terminating_signal().is_some();
            self.mop |= ended.values().any(killed);
            self.dying.retain(|pid| !ended.contains_key(&pid.as_raw_nonzero().get()));
            if self.mop || self.dying.is_empty() {
                self.kill_strangers();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        kill_all(None, Duration::from_secs(5), |_, _| {});
    }
}

impl Supervised {
    fn spawn() -> io::Result<Self> {
        let (lifeline, far) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let mut command = Role::Supervisor.own_command();
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.stdin(Stdio::from(far)).stdout(Stdio::null()).spawn()?;
        let pid = Pid::from_raw(child.id() as i32).ok_or_else(|| io::Error::other("process 0"))?;
        Ok(Self { pid, lifeline })
    }

    /// Hands it the connection; false if it is dead.
    fn hand(&self, connection: &OwnedFd) -> bool {
        fdpass::send(&self.lifeline, b"c", &[connection.as_fd()], SendFlags::DONTWAIT).is_ok()
    }
}

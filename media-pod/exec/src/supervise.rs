//! The supervisor of one command.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, kill_process_group, pidfd_open};

use crate::fdpass;
use crate::frame::{self, MAX_FRAME};
use crate::message::{Failure, Launch, MAX_REPLY, Reply, Start};
use crate::ready::{is_ready, set_nonblocking, wait};
use crate::reap::{kill_all, reap};
use crate::request::{self, Request, Wish};
use crate::roles::Role;
use crate::supervisor_state::{Alarms, Facts, GRACE, Order, ended, environment, order};
use crate::{descendants, memory, sweep};

/// How long what was killed may take to go, before its end is told all the same.
const DEATH: Duration = Duration::from_secs(10);
/// How often zombies are reaped that the command left to us.
const ORPHANS: Duration = Duration::from_secs(10);
/// How often to look for the command's end on kernels without process descriptors.
const NO_PIDFD: Duration = Duration::from_millis(20);

/// Serves the one connection that comes over stdin, the lifeline: the agent keeps its other end as long as the
/// connection is wanted.
pub(crate) fn run() -> ExitCode {
    if rustix::process::set_child_subreaper(Some(getpid())).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(lifeline) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let mut fds = Vec::new();
    match fdpass::receive(&lifeline, &mut [0], &mut fds) {
        Ok(0) => return ExitCode::SUCCESS,
        Ok(_) => {}
        Err(_) => return ExitCode::FAILURE,
    }
    let Some(control) = fds.pop() else { return ExitCode::FAILURE };
    if set_nonblocking(&control).is_err() {
        return ExitCode::FAILURE;
    }
    match serve(&lifeline, &control) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            reply(&control, &Reply::Refused { problem });
            ExitCode::FAILURE
        }
    }
}

fn serve(lifeline: &OwnedFd, control: &OwnedFd) -> Result<(), String> {
    let Request { start, fds, rest } = match request::receive(lifeline, control)? {
        None => return Ok(()),
        Some(Wish::Watch) => {
            be_watched(lifeline, control);
            return Ok(());
        }
        Some(Wish::Run(request)) => request,
    };
    start.check()?;
    if fds.len() != start.fds() {
        return Err(format!("{} descriptors came with a command that needs {}", fds.len(), start.fds()));
    }
    let agent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    let mark = sweep::Mark::of(agent).map(|mark| (sweep::VARIABLE.to_owned(), mark.to_string()));
    let own = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let env = environment(own, &start.env, mark);
    let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone()).unwrap_or_default();
    let running = Running::launch(start, env, fds).map_err(|error| format!("cannot start it: {error}"))?;
    reply(control, &Reply::Started { pid: running.pid.as_raw_nonzero().get() as u32 });
    running.watch(lifeline, control, &rest, &path);
    Ok(())
}

/// Lives as long as agent and client do.
fn be_watched(lifeline: &OwnedFd, control: &OwnedFd) {
    reply(control, &Reply::Here);
    let mut ready = [PollFd::new(lifeline, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
    while !is_ready(ready.first()) && !is_ready(ready.get(1)) {
        wait(&mut ready, None);
    }
}

/// A command that runs.
struct Running {
    start: Start,
    pid: Pid,
    pidfd: Option<OwnedFd>,
    /// Ends when the trampoline became the command; before that, the trampoline says here why it could not.
    status: OwnedFd,
    since: Instant,
}

impl Running {
    fn launch(start: Start, env: Vec<(String, String)>, fds: Vec<OwnedFd>) -> io::Result<Self> {
        let (status, far) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let launch = Launch { parent: getpid().as_raw_nonzero().get(), env, start };
        let frame = frame::encode(&launch, 2 * MAX_FRAME).map_err(io::Error::other)?;
        let mut command = Role::Trampoline.own_command();
        let child = command.stdin(Stdio::from(far)).stdout(Stdio::null()).spawn()?;
        drop(command);
        let pid = Pid::from_raw(child.id() as i32).ok_or_else(|| io::Error::other("process 0"))?;
        let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        // a trampoline that died already is seen when it is waited for
        let _ = fdpass::send_all(&status, &frame, &borrowed);
        // as long as anybody but the command holds these, its pipes do not end with it
        drop(fds);
        set_nonblocking(&status)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        Ok(Self { start: launch.start, pid, pidfd, status, since: Instant::now() })
    }

    /// Watches over the command until nothing of it is left, and tells the client how it ended.
    fn watch(self, lifeline: &OwnedFd, control: &OwnedFd, first: &[u8], path: &str) {
        let own = self.pid.as_raw_nonzero().get();
        let mut facts = self.until_it_must_end(lifeline, control, order(first));
        facts.ran = self.since.elapsed();
        let group = facts.status.is_none().then_some(self.pid);
        let gone = kill_all(group, DEATH, |pid, status| {
            if pid == own {
                facts.status = Some(status);
            }
        });
        let mut bytes = [0; 5];
        let said = rustix::io::read(&self.status, &mut bytes).unwrap_or(0);
        facts.failure = bytes.get(..said).and_then(Failure::decode);
        reply(control, &Reply::Exited(ended(&self.start, path, &facts)));
        if !gone {
            while !kill_all(None, Duration::from_mins(1), |_, _| {}) {}
        }
    }

    /// Returns when the command has ended, or has to, at once.
    fn until_it_must_end(&self, lifeline: &OwnedFd, control: &OwnedFd, first: Order) -> Facts {
        let mut facts = Facts::default();
        let mut alarms = Alarms { orphans: Some(Instant::now() + ORPHANS), ..Alarms::default() };
        let mut memory = self.start.memory_limit.map(|limit| memory::Watch::new(limit, Instant::now()));
        let mut order = first;
        loop {
            match order {
                Order::Stop if alarms.grace.is_none() => {
                    self.terminate();
                    alarms.grace = Some(Instant::now() + GRACE);
                }
                Order::Nothing | Order::Stop => {}
                Order::Kill => return facts,
                Order::AgentGone => return Facts { agent_gone: true, ..facts },
            }
            let now = Instant::now();
            if alarms.grace.is_some_and(|at| at <= now) {
                return facts;
            }
            if let Some(memory) = &mut memory {
                facts.used = memory.look(now, descendants::descendants);
                alarms.memory = Some(memory.next);
                if facts.used.is_some() {
                    return facts;
                }
            }
            let woken = self.wait(lifeline, control, alarms.wait(now));
            order = woken.order;
            if woken.ended || alarms.orphans.is_some_and(|at| at <= now) {
                facts.status = reap().ended.remove(&self.pid.as_raw_nonzero().get());
                // whoever sweeps up after a dead agent may have been quicker than we
                facts.agent_gone = order == Order::AgentGone;
                if facts.status.is_some() {
                    return facts;
                }
                alarms.orphans = Some(now + ORPHANS);
            }
        }
    }

    /// SIGTERM to the group; a group that is stopped is continued, or it would not hear.
    fn terminate(&self) {
        if kill_process_group(self.pid, Signal::TERM).is_err() {
            // not yet in a group of its own
            let _ = kill_process(self.pid, Signal::TERM);
        }
        let _ = kill_process_group(self.pid, Signal::CONT);
    }

    fn wait(&self, lifeline: &OwnedFd, control: &OwnedFd, timeout: Option<Duration>) -> Woken {
        let timeout = match self.pidfd {
            Some(_) => timeout,
            None => Some(timeout.map_or(NO_PIDFD, |timeout| timeout.min(NO_PIDFD))),
        };
        let mut ready = vec![PollFd::new(lifeline, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
        ready.extend(self.pidfd.as_ref().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        wait(&mut ready, timeout);
        let ended = self.pidfd.is_none() || is_ready(ready.get(2));
        let order = if is_ready(ready.first()) {
            Order::AgentGone
        } else if is_ready(ready.get(1)) {
            read_order(control)
        } else {
            Order::Nothing
        };
        Woken { order, ended }
    }
}

struct Woken {
    order: Order,
    /// Whether the command may have ended.
    ended: bool,
}

fn read_order(control: &OwnedFd) -> Order {
    let mut bytes = [0; 64];
    let mut fds = Vec::new();
    match fdpass::receive(control, &mut bytes, &mut fds) {
        Ok(0) => Order::Kill,
        Ok(count) => order(bytes.get(..count).unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Order::Nothing,
        Err(_) => Order::Kill,
    }
}

/// Tells the client; if it is not there any more, or does not read, that is its own affair.
fn reply(control: &OwnedFd, message: &Reply) {
    if let Ok(frame) = frame::encode(message, MAX_REPLY) {
        let _ = fdpass::send_all(control, &frame, &[]);
    }
}

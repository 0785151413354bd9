//! An agent that is a child of this process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};

use crate::agent::HELLO;
use crate::error::ExecError;
use crate::roles::Role;
use crate::{fdpass, sweep};

/// A child agent. It lives until this is dropped: then it ends all commands, and itself.
#[derive(Debug)]
pub(super) struct Local {
    socket: OwnedFd,
    pid: u32,
    alive: Arc<AtomicBool>,
}

impl Local {
    /// Starts it and waits until it has said that it is one.
    pub(super) fn spawn(exe: &Path) -> Result<Self, ExecError> {
        let failed = |problem: String| ExecError::AgentStart { exe: exe.to_owned(), problem };
        let (socket, far) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|error| failed(error.to_string()))?;
        let mut command = Role::Agent.command(exe);
        // a group of its own: Ctrl-C in a terminal is for the client, which then decides
        command.process_group(0).stdin(Stdio::from(far)).stdout(Stdio::null());
        shut_inherited(&mut command).map_err(|error| failed(error.to_string()))?;
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        // holds the far end of the socket, whose closing is how an early death is seen
        drop(command);
        let pid = child.id();
        let alive = Arc::new(AtomicBool::new(true));
        let life = Arc::clone(&alive);
        let greeted = hello(&socket);
        if greeted.is_err() {
            let _ = child.kill();
        }
        let reaper = std::thread::Builder::new().name("millrace-exec".to_owned()).spawn(move || {
            let ended = child.wait();
            life.store(false, Ordering::Release);
            let left = sweep::kill_marked_orphans();
            if left > 0 {
                tracing::warn!(?ended, left, "the agent left processes behind; they were killed");
            }
        });
        reaper.map_err(|error| failed(error.to_string()))?;
        greeted.map_err(|error| failed(error.to_string()))?;
        Ok(Self { socket, pid, alive })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Gives it the far end of a connection. False if it is too busy, none if it is dead.
    pub(super) fn hand(&self, connection: &OwnedFd) -> Option<bool> {
        match fdpass::send(&self.socket, b"c", &[connection.as_fd()], SendFlags::DONTWAIT) {
            Ok(_) => Some(true),
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::TOOMANYREFS) => Some(false),
            Err(_) => {
                self.alive.store(false, Ordering::Release);
                None
            }
        }
    }
}

/// Puts `/dev/null` in the place of every descriptor that this process inherited and would pass on: a pipe or a listening
/// socket of whoever started it is no business of an agent and its commands.
fn shut_inherited(command: &mut Command) -> io::Result<()> {
    let mut mappings = Vec::new();
    for child_fd in inheritable() {
        mappings.push(FdMapping { parent_fd: std::fs::File::open("/dev/null")?.into(), child_fd });
    }
    command.fd_mappings(mappings).map(|_| ()).map_err(io::Error::other)
}

/// The descriptors above stderr that are not close-on-exec; what Rust opens is, always.
fn inheritable() -> Vec<i32> {
    const O_CLOEXEC: u32 = 0o2_000_000;
    let passed_on = |fd: &i32| {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default();
        u32::from_str_radix(flags.trim(), 8).is_ok_and(|flags| flags & O_CLOEXEC == 0)
    };
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().filter_map(Result::ok);
    let numbers = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|fd| *fd > 2).filter(passed_on).collect()
}

fn hello(socket: &OwnedFd) -> io::Result<()> {
    let no_agent = || {
        io::Error::other(
            "it does not answer as an agent; its main must begin with millrace_exec::maybe_run_agent()",
        )
    };
    let mut ready = [PollFd::new(socket, PollFlags::IN)];
    let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
    if poll(&mut ready, Some(&patience))? == 0 {
        return Err(no_agent());
    }
    let mut bytes = [0; 64];
    let count = fdpass::receive(socket, &mut bytes, &mut Vec::new())?;
    if bytes.get(..count) == Some(HELLO) { Ok(()) } else { Err(no_agent()) }
}

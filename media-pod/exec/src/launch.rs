//! The trampoline: a process that becomes the command.
//!
//! What must be done between fork and exec is done here, in an ordinary process that only then calls `execve`: so
//! nothing needs `unsafe`, and nothing is done in a forked copy of a process with threads.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{
    Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit, setsid,
};

use crate::fdpass;
use crate::frame::{Decoder, MAX_FRAME};
use crate::message::{Failure, Launch};

/// The soft limit of descriptors that a command gets; some programs close them all one by one.
const SOFT_DESCRIPTORS: u64 = 4096;

/// Reads a [`Launch`] from stdin, a Unix socket, and becomes it. Returns only if that failed.
pub(crate) fn run() -> ExitCode {
    // first of all: from here on the supervisor's death is ours, and then the command's
    if set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok((launch, fds)) = receive() else { return ExitCode::FAILURE };
    // the parent may have died before the signal was set
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(launch.parent) {
        return ExitCode::FAILURE;
    }
    // beyond every number that the command will find something on
    let beyond = 3 + launch.start.extra_inputs as i32;
    let Ok(status) = rustix::io::fcntl_dupfd_cloexec(io::stdin(), beyond) else { return ExitCode::FAILURE };
    let failure = become_command(launch, fds);
    let _ = fdpass::send_all(&status, &failure.encode(), &[]);
    ExitCode::FAILURE
}

fn receive() -> io::Result<(Launch, Vec<OwnedFd>)> {
    let stdin = io::stdin();
    let mut decoder = Decoder::new(2 * MAX_FRAME);
    let mut fds = Vec::new();
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = fdpass::receive(stdin.as_fd(), &mut bytes, &mut fds)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        decoder.push(bytes.get(..count).unwrap_or_default());
        if let Some(frame) = decoder.next_frame().map_err(io::Error::other)? {
            return Ok((serde_json::from_slice(&frame)?, fds));
        }
    }
}

fn become_command(launch: Launch, fds: Vec<OwnedFd>) -> Failure {
    let start = launch.start;
    if let Err(error) = set_up(start.oom_score_adj) {
        return Failure::Setup(errno(&error));
    }
    if let Some(cwd) = &start.cwd
        && let Err(error) = rustix::process::chdir(cwd.as_str())
    {
        return Failure::Cwd(error.raw_os_error());
    }
    let mut argv = start.argv.into_iter();
    let mut command = Command::new(argv.next().unwrap_or_default());
    command.args(argv).env_clear().envs(launch.env);

    let mut fds = fds.into_iter();
    let mut pipe = |wanted: bool| if wanted { fds.next().map(Stdio::from) } else { Some(Stdio::null()) };
    let (Some(stdin), Some(stdout), Some(stderr)) = (pipe(start.stdin), pipe(start.stdout), pipe(true))
    else {
        return Failure::Setup(rustix::io::Errno::BADF.raw_os_error());
    };
    command.stdin(stdin).stdout(stdout).stderr(stderr);
    let inputs = fds.zip(3..).map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect();
    if command.fd_mappings(inputs).is_err() {
        return Failure::Setup(rustix::io::Errno::INVAL.raw_os_error());
    }
    // resets the signal mask and SIGPIPE, too
    Failure::Exec(errno(&command.exec()))
}

/// A session of its own: no terminal's signals, and a process group by the command's own number.
fn set_up(oom_score_adj: Option<i16>) -> io::Result<()> {
    setsid()?;
    // what became another user by a set-user-ID program could not be killed, and would not hear of its parent's death
    rustix::thread::set_no_new_privs(true)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    let descriptors = getrlimit(Resource::Nofile);
    if descriptors.current.is_none_or(|current| current > SOFT_DESCRIPTORS) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(SOFT_DESCRIPTORS), ..descriptors })?;
    }
    if let Some(adj) = oom_score_adj {
        std::fs::write("/proc/self/oom_score_adj", adj.to_string())?;
    }
    Ok(())
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

//! The hidden parts that one executable plays.

use std::process::{Command, ExitCode};

use crate::{agent, launch, supervise};

/// A part, told by the first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Agent,
    Supervisor,
    Trampoline,
}

impl Role {
    const ALL: [Self; 3] = [Self::Agent, Self::Supervisor, Self::Trampoline];

    const fn argument(self) -> &'static str {
        match self {
            Self::Agent => "--millrace-exec-agent",
            Self::Supervisor => "--millrace-exec-supervisor",
            Self::Trampoline => "--millrace-exec-trampoline",
        }
    }

    /// A command that runs `exe` in this part. It is not called by the executable's name, so that
    /// `killall -9 media-pod` kills the media pod and not those who would tidy up after it.
    pub(crate) fn command(self, exe: &std::path::Path) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(exe);
        command.arg0("millrace-exec").arg(self.argument());
        command
    }

    /// As [`Role::command`], of the executable that runs now, wherever it lies, even if it was replaced or removed.
    pub(crate) fn own_command(self) -> Command {
        self.command(std::path::Path::new("/proc/self/exe"))
    }
}

/// Plays one of the crate's parts if the first argument says so, and ends the process when it is over. To be
/// called first thing in `main` of every executable that calls [`Agent::spawn_local`](crate::Agent::spawn_local), before any thread.
pub fn maybe_run_agent() {
    let Some(argument) = std::env::args_os().nth(1) else { return };
    let Some(role) = Role::ALL.into_iter().find(|role| argument == role.argument()) else { return };
    if role != Role::Trampoline {
        let _ = rustix::thread::set_name(match role {
            Role::Agent => c"millrace-agent",
            _ => c"millrace-superv",
        });
    }
    let code = match role {
        Role::Agent => agent::run_local(),
        Role::Supervisor => supervise::run(),
        Role::Trampoline => launch::run(),
    };
    exit(code);
}

fn exit(code: ExitCode) -> ! {
    std::process::exit(i32::from(code != ExitCode::SUCCESS))
}

/// A line for whoever reads the agent's stderr. Unlike `eprintln!` it bears that nobody does.
pub(crate) fn complain(what: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "millrace-exec: {what}");
}

//! The messages between client, supervisor and trampoline.
//!
//! A connection is one command. The client sends one [`Start`] frame with descriptors (the command's ends of its
//! pipes: stdin if asked for, stdout if asked for, stderr, then the extra inputs), afterwards single bytes, [`STOP`] and [`KILL`].
//! The end of the connection is `KILL`, too. The supervisor answers [`Reply`] frames.

use serde::{Deserialize, Serialize};

use crate::exit::Reason;

/// End the command politely: SIGTERM, SIGKILL after the grace.
pub(crate) const STOP: u8 = b'T';
/// End the command at once.
pub(crate) const KILL: u8 = b'K';
/// In the place of a [`Start`]: no command, only to see the agent live. Answered by [`Reply::Here`]; the connection ends with
/// the agent.
pub(crate) const WATCH: &str = "watch";
/// The most extra inputs of one command.
pub(crate) const MAX_EXTRA_INPUTS: usize = 32;
/// The most descriptors with one `Start`: stdin, stdout, stderr and the extra inputs.
pub(crate) const MAX_FDS: usize = MAX_EXTRA_INPUTS + 3;
/// The largest reply, in bytes.
pub(crate) const MAX_REPLY: usize = 64 << 10;

/// A command to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    pub cwd: Option<String>,
    pub stdin: bool,
    pub stdout: bool,
    pub extra_inputs: usize,
    pub memory_limit: Option<u64>,
    pub oom_score_adj: Option<i16>,
}

impl Start {
    /// How many descriptors come with it.
    pub(crate) fn fds(&self) -> usize {
        usize::from(self.stdin) + usize::from(self.stdout) + 1 + self.extra_inputs
    }

    /// Says what makes this impossible to run. Both sides ask: the client to tell its user, the supervisor
    /// because it does not trust the client.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.argv.first() {
            None => return Err("the command is empty; it needs at least the name of a program".into()),
            Some(program) if program.is_empty() => return Err("the program's name is empty".into()),
            Some(_) => {}
        }
        if self.argv.iter().any(|arg| arg.contains('\0')) {
            return Err("an argument contains a NUL byte".into());
        }
        for (key, value) in &self.env {
            if key.is_empty() || key.contains(['=', '\0']) || value.contains('\0') {
                return Err(format!(
                    "environment variable `{}`: names have no `=`, nothing has a NUL byte",
                    key.escape_debug()
                ));
            }
        }
        if self.cwd.as_ref().is_some_and(|cwd| cwd.contains('\0')) {
            return Err("the working directory contains a NUL byte".into());
        }
        if self.extra_inputs > MAX_EXTRA_INPUTS {
            return Err(format!(
                "{} extra inputs, at most {MAX_EXTRA_INPUTS} are possible",
                self.extra_inputs
            ));
        }
        if self.memory_limit == Some(0) {
            return Err("a memory limit of 0 bytes; leave it out for none".into());
        }
        Ok(())
    }
}

/// What a trampoline becomes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// The supervisor; a trampoline with another parent must not run anything.
    pub parent: i32,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    pub start: Start,
}

/// What a supervisor tells its client.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Started {
        pid: u32,
    },
    /// To [`WATCH`].
    Here,
    Refused {
        problem: String,
    },
    Exited(Ended),
}

/// The end of a command and of everything that it had started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub reason: Reason,
    pub detail: Option<String>,
    pub ran_us: u64,
}

/// Why a trampoline could not become the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The working directory cannot be entered.
    Cwd(i32),
    /// `execve` said no.
    Exec(i32),
    /// Anything before.
    Setup(i32),
}

impl Failure {
    pub(crate) fn encode(self) -> [u8; 5] {
        let (stage, errno) = match self {
            Self::Cwd(errno) => (b'c', errno),
            Self::Exec(errno) => (b'e', errno),
            Self::Setup(errno) => (b's', errno),
        };
        let [a, b, c, d] = errno.to_be_bytes();
        [stage, a, b, c, d]
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (stage, errno) = bytes.split_first()?;
        let errno = i32::from_be_bytes(*errno.first_chunk()?);
        match stage {
            b'c' => Some(Self::Cwd(errno)),
            b'e' => Some(Self::Exec(errno)),
            b's' => Some(Self::Setup(errno)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_run_is_said_before_it_is_tried() {
        let start = |argv: &[&str]| Start {
            argv: argv.iter().map(|arg| (*arg).to_owned()).collect(),
            ..Start::default()
        };
        assert!(start(&["true"]).check().is_ok());
        assert!(start(&[]).check().unwrap_err().contains("empty"));
        assert!(start(&[""]).check().is_err());
        assert!(start(&["a\0b"]).check().unwrap_err().contains("NUL"));
        assert!(Start { env: vec![("A=B".into(), String::new())], ..start(&["true"]) }.check().is_err());
        assert!(Start { extra_inputs: 33, ..start(&["true"]) }.check().is_err());
        assert!(Start { memory_limit: Some(0), ..start(&["true"]) }.check().is_err());
    }

    #[test]
    fn a_failure_survives_the_wire() {
        for failure in [Failure::Cwd(2), Failure::Exec(13), Failure::Setup(-1)] {
            assert_eq!(Failure::decode(&failure.encode()), Some(failure));
        }
        assert_eq!(Failure::decode(b"e12"), None);
        assert_eq!(Failure::decode(b"x1234"), None);
    }
}

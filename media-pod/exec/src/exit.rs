//! How a command ended.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a command is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// It ended by itself, with a code.
    Exited,
    /// A signal ended it: ours (stop, kill) or another's.
    Signaled,
    /// It used more than its memory limit and was killed for that.
    OutOfMemory,
    /// There is no such program.
    NotFound,
    /// The program is there, but cannot be executed (permissions, format, working directory).
    NotExecutable,
    /// The agent ended; the command was killed with it.
    AgentLost,
}

/// The end of a command. When it is known, nothing that the command had started runs any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The number of the signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Why it ended.
    pub reason: Reason,
    /// What the agent has to say about it: which `PATH` was searched, how much memory it used.
    pub detail: Option<String>,
    /// Its last lines on stderr, oldest first.
    pub stderr: Vec<String>,
    /// How long it ran.
    pub ran: Duration,
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn success(&self) -> bool {
        self.reason == Reason::Exited && self.code == Some(0)
    }
}

/// `exited with code 1 after 0.2 s: <last line of stderr>`
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reason, self.code, self.signal) {
            (Reason::Exited, code, _) => write!(f, "exited with code {}", code.unwrap_or(-1))?,
            (Reason::Signaled, _, signal) => write!(f, "ended by {}", signal_name(signal.unwrap_or(0)))?,
            (Reason::OutOfMemory, ..) => f.write_str("killed for its use of memory")?,
            (Reason::NotFound, ..) => f.write_str("command not found")?,
            (Reason::NotExecutable, ..) => f.write_str("cannot be executed")?,
            (Reason::AgentLost, ..) => f.write_str("killed, because its agent ended")?,
        }
        if !matches!(self.reason, Reason::NotFound | Reason::NotExecutable) {
            write!(f, " after {}", Span(self.ran))?;
        }
        if let Some(said) = self.detail.as_ref().or_else(|| self.stderr.last()) {
            write!(f, ": {said}")?;
        }
        Ok(())
    }
}

/// A time as people say it.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(reason: Reason) -> Exit {
        Exit {
            code: None,
            signal: None,
            reason,
            detail: None,
            stderr: Vec::new(),
            ran: Duration::from_millis(210),
        }
    }

    #[test]
    fn an_exit_reads_as_a_sentence() {
        let failed =
            Exit { code: Some(1), stderr: vec!["a".into(), "No such device".into()], ..exit(Reason::Exited) };
        assert_eq!(failed.to_string(), "exited with code 1 after 0.2 s: No such device");
        let killed = Exit { signal: Some(9), ran: Duration::from_secs(61), ..exit(Reason::Signaled) };
        assert_eq!(killed.to_string(), "ended by SIGKILL after 1 min 1 s");
        let missing = Exit { detail: Some("`x` is not in PATH=/bin".into()), ..exit(Reason::NotFound) };
        assert_eq!(missing.to_string(), "command not found: `x` is not in PATH=/bin");
        let lost = Exit { ran: Duration::from_mins(121), ..exit(Reason::AgentLost) };
        assert_eq!(lost.to_string(), "killed, because its agent ended after 2 h 1 min");
    }
}

//! The last resort: processes whose supervisor and agent were both killed with SIGKILL.
//!
//! Every command carries a mark in its environment that names its agent; its children inherit it. A process with
//! the mark of an agent that is no more is an orphan, and is killed.

use std::fs;
use std::io::Read;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::descendants::{all, stat};

/// The variable that holds the mark.
pub(crate) const VARIABLE: &str = "MILLRACE_EXEC_AGENT";

/// The most of an environment that is searched, in bytes.
const MAX_ENVIRONMENT: u64 = 4 << 20;

/// Names one agent process for ever: its PID namespace (ids of another mean nothing here), id and start time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    namespace: String,
    pid: i32,
    started: u64,
}

impl Mark {
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Some(Self { namespace: own_namespace()?, pid, started: stat(pid)?.started })
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let pid = parts.next()?.parse().ok()?;
        let started = parts.next()?.parse().ok()?;
        let namespace = parts.next()?.to_owned();
        Some(Self { namespace, pid, started })
    }

    /// Whether the agent is dead; false as long as that is not certain.
    fn is_dead(&self, own_namespace: &str) -> bool {
        self.namespace == own_namespace
            && stat(self.pid).is_none_or(|stat| stat.zombie || stat.started != self.started)
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.pid, self.started, self.namespace)
    }
}

fn own_namespace() -> Option<String> {
    fs::read_link("/proc/self/ns/pid").ok()?.into_os_string().into_string().ok()
}

/// The mark in an environment as `/proc/PID/environ` shows it.
pub(crate) fn mark_in_environment(environment: &[u8]) -> Option<Mark> {
    let entry = environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"="))?;
    Mark::parse(std::str::from_utf8(entry).ok()?)
}

fn mark_of_process(pid: i32) -> Option<Mark> {
    let mut environment = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    file.take(MAX_ENVIRONMENT).read_to_end(&mut environment).ok()?;
    mark_in_environment(&environment)
}

/// Kills every process that carries the mark of a dead agent; gives up after two seconds on what cannot die.
/// Returns how many it killed.
pub(crate) fn kill_marked_orphans() -> usize {
    let Some(namespace) = own_namespace() else { return 0 };
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut killed = 0;
    loop {
        let orphans: Vec<Pid> = all()
            .filter(|pid| *pid != own)
            .filter(|pid| mark_of_process(*pid).is_some_and(|mark| mark.is_dead(&namespace)))
            .filter_map(Pid::from_raw)
            .collect();
        killed += orphans.iter().filter(|pid| kill_process(**pid, Signal::KILL).is_ok()).count();
        if orphans.is_empty() || Instant::now() > deadline {
            return killed;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_the_environment() {
        let own = Mark::of(std::process::id() as i32).unwrap();
        let environment = format!("A=B\0{VARIABLE}={own}\0C=\0");
        assert_eq!(mark_in_environment(environment.as_bytes()), Some(own.clone()));
        assert!(!own.is_dead(&own.namespace));
        assert_eq!(mark_in_environment(b"A=B\0XMILLRACE_EXEC_AGENT=1 2 x\0"), None);
    }

    #[test]
    fn an_agent_of_another_namespace_is_never_called_dead() {
        let foreign = Mark { namespace: "pid:[1]".into(), pid: i32::MAX, started: 1 };
        assert!(!foreign.is_dead(&own_namespace().unwrap()));
        let dead = Mark { namespace: own_namespace().unwrap(), pid: i32::MAX, started: 1 };
        assert!(dead.is_dead(&own_namespace().unwrap()));
    }
}

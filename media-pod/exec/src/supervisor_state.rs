//! What a supervisor decides, apart from how it does it.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::WaitStatus;

use crate::exit::Reason;
use crate::message::{Ended, Failure, STOP, Start};

/// How long a command may take to end after SIGTERM.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// What to do about the bytes of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Nothing,
    Stop,
    Kill,
    /// Not the client's: the agent is no more.
    AgentGone,
}

/// The strongest order among the bytes ([`KILL`](crate::message::KILL) or [`STOP`]); a byte that means nothing is
/// a broken client, and that means the end.
pub(crate) fn order(bytes: &[u8]) -> Order {
    match bytes {
        [] => Order::Nothing,
        _ if bytes.iter().all(|byte| *byte == STOP) => Order::Stop,
        _ => Order::Kill,
    }
}

/// What of the agent's environment a command gets.
pub(crate) fn is_base_variable(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "TMPDIR",
        "TZ",
        "LD_LIBRARY_PATH",
        "XDG_RUNTIME_DIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    const PREFIXES: [&str; 6] = ["LC_", "FONTCONFIG_", "LIBVA_", "VDPAU_", "NVIDIA_", "CUDA_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Where a program is looked for when nobody says.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The environment of a command: of `own` the base, then `extra`, then the mark. A later one wins.
pub(crate) fn environment(
    own: impl Iterator<Item = (String, String)>,
    extra: &[(String, String)],
    mark: Option<(String, String)>,
) -> Vec<(String, String)> {
    let base = own.filter(|(name, _)| is_base_variable(name));
    let mut all = vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())];
    for (name, value) in base.chain(extra.iter().cloned()).chain(mark) {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => all.push((name, value)),
        }
    }
    all
}

/// What is known of the end of a command.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// How it ended; none if it is still there.
    pub status: Option<WaitStatus>,
    /// What its trampoline said.
    pub failure: Option<Failure>,
    /// What it used, in bytes, when that was too much.
    pub used: Option<u64>,
    /// Whether it was killed because the agent is gone.
    pub agent_gone: bool,
    pub ran: Duration,
}

/// How a command ended, from all that is known; `path` was its `PATH`.
pub(crate) fn ended(start: &Start, path: &str, facts: &Facts) -> Ended {
    let Facts { status, failure, used, agent_gone, ran } = *facts;
    let mut ended = Ended {
        code: status.and_then(WaitStatus::exit_status),
        signal: status.and_then(WaitStatus::terminating_signal),
        reason: Reason::Exited,
        detail: None,
        ran_us: u64::try_from(ran.as_micros()).unwrap_or(u64::MAX),
    };
    if ended.code.is_none() {
        ended.reason = if agent_gone { Reason::AgentLost } else { Reason::Signaled };
    }
    if let Some(failure) = failure {
        let (reason, detail) = explain(failure, start, path);
        ended = Ended { code: None, signal: None, reason, detail: Some(detail), ran_us: 0 };
    } else if let (Some(used), Some(limit)) = (used, start.memory_limit) {
        ended.reason = Reason::OutOfMemory;
        ended.detail = Some(format!("it used {} MiB, its limit is {} MiB", used >> 20, limit >> 20));
    } else if status.is_none() {
        ended.detail = Some("it was killed, but hangs in the kernel and is still there".to_owned());
        ended.signal = Some(9);
    }
    ended
}

fn explain(failure: Failure, start: &Start, path: &str) -> (Reason, String) {
    let program = start.argv.first().map_or("", String::as_str);
    let program: String = program.chars().take(200).collect();
    let said = |errno| Errno::from_raw_os_error(errno).to_string();
    let missing = |errno| Errno::from_raw_os_error(errno) == Errno::NOENT;
    match failure {
        Failure::Exec(errno) if missing(errno) && program.contains('/') => {
            (Reason::NotFound, format!("there is no `{program}` here (or its interpreter is missing)"))
        }
        Failure::Exec(errno) if missing(errno) => {
            let path: String = path.chars().take(1000).collect();
            (Reason::NotFound, format!("`{program}` is not in PATH={path}"))
        }
        Failure::Exec(errno) => (Reason::NotExecutable, format!("`{program}`: {}", said(errno))),
        Failure::Cwd(errno) => {
            let cwd: String = start.cwd.as_deref().unwrap_or_default().chars().take(1000).collect();
            (Reason::NotExecutable, format!("working directory `{cwd}`: {}", said(errno)))
        }
        Failure::Setup(errno) => {
            (Reason::NotExecutable, format!("`{program}` could not be set up: {}", said(errno)))
        }
    }
}

/// When a supervisor has to wake up by itself.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    /// When the grace after SIGTERM is over.
    pub grace: Option<Instant>,
    /// When to look at the memory.
    pub memory: Option<Instant>,
    /// When to reap what the command left to us.
    pub orphans: Option<Instant>,
}

impl Alarms {
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        [self.grace, self.memory, self.orphans]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_is_the_end() {
        assert_eq!(order(b""), Order::Nothing);
        assert_eq!(order(b"TT"), Order::Stop);
        assert_eq!(order(b"TK"), Order::Kill);
        assert_eq!(order(b"Tx"), Order::Kill);
    }

    #[test]
    fn the_environment_is_small_and_the_spec_wins() {
        let own = [("PATH", "/bin"), ("AWS_SECRET", "x"), ("LC_ALL", "C")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let extra = [("PATH".to_owned(), "/opt".to_owned()), ("A".to_owned(), "1".to_owned())];
        let all = environment(own.into_iter(), &extra, Some(("M".into(), "1".into())));
        let all: Vec<_> = all.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(all, ["PATH=/opt", "LC_ALL=C", "A=1", "M=1"]);
    }

    #[test]
    fn a_missing_program_is_named_with_the_path_searched() {
        let start = Start { argv: vec!["nope".into()], ..Start::default() };
        let facts = |errno| Facts { failure: Some(Failure::Exec(errno)), ..Facts::default() };
        let end = ended(&start, "/bin", &facts(2));
        assert_eq!(end.reason, Reason::NotFound);
        assert_eq!(end.detail.unwrap(), "`nope` is not in PATH=/bin");
        let end = ended(&start, "/bin", &facts(13));
        assert_eq!(end.reason, Reason::NotExecutable);
    }
}

//! What can go wrong before a command runs.

use std::io;
use std::path::PathBuf;

/// Why a command could not be given to an agent. A command that is not there or cannot be executed is not an
/// error here: it is an [`Exit`](crate::Exit), like any other end of a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The [`Spec`](crate::Spec) cannot be run by anyone.
    #[error("command `{name}`: {problem}")]
    Spec {
        /// [`Spec::name`](crate::Spec::name).
        name: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The agent process could not be started.
    #[error("cannot start the agent {}: {problem}", exe.display())]
    AgentStart {
        /// The executable that was tried.
        exe: PathBuf,
        /// What happened.
        problem: String,
    },
    /// There is no agent at the socket.
    #[error("no agent at {}: {source}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The agent died, or closed the connection, before the command ran.
    #[error("the agent went away before command `{0}` was started")]
    AgentLost(String),
    /// The agent did not answer in ten seconds.
    #[error("the agent did not start command `{0}` in 10 s")]
    Timeout(String),
    /// The agent answered that it will not run this.
    #[error("the agent refused command `{name}`: {problem}")]
    Refused {
        /// [`Spec::name`](crate::Spec::name).
        name: String,
        /// The agent's words.
        problem: String,
    },
    /// The agent's answer was not one.
    #[error("the agent's answer about command `{name}` makes no sense: {problem}")]
    Answer {
        /// [`Spec::name`](crate::Spec::name).
        name: String,
        /// What was wrong with it.
        problem: String,
    },
    /// A pipe or socket could not be made or used: out of descriptors, most likely.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl ExecError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

//! How a feed or a stream is doing, and how its process ended last.

use serde::Serialize;

use super::Moment;

/// How a feed or a stream is doing. The words are those of the resources' `status.state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum State {
    /// Nobody needs it; it begins when somebody does.
    #[default]
    Idle,
    /// Begun, and nothing came out yet.
    Starting,
    /// Bytes come out.
    Running,
    /// Alive, but without output for too long.
    Silent,
    /// It ended and will be begun again.
    Backoff,
    /// It ended and stays so until the configuration or a person says otherwise.
    Failed,
}

impl State {
    /// Every state, in the order in which things get worse.
    pub const ALL: [Self; 6] =
        [Self::Idle, Self::Starting, Self::Running, Self::Silent, Self::Backoff, Self::Failed];

    /// The word that people and programs see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Silent => "Silent",
            Self::Backoff => "Backoff",
            Self::Failed => "Failed",
        }
    }

    /// Whether a person should look at it.
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::Silent | Self::Backoff | Self::Failed)
    }
}

/// How a process, or the reading of a file or pipe, ended last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastExit {
    /// The exit code, if it exited by itself.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
    /// When.
    pub at: Moment,
    /// Why, in a few words, as `exited with code 1` or `no bytes for 10 s`.
    pub reason: String,
    /// The last lines it wrote to stderr, oldest first.
    pub stderr: Vec<String>,
}

//! How a feed or stream is doing, as it tells everybody who asks.

use std::{borrow::Cow, time::SystemTime};

use tokio::sync::watch;

pub use millrace_status::State;

use crate::logging::mask;

/// How something ended last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastExit {
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// Signal, if one ended it.
    pub signal: Option<i32>,
    /// When.
    pub at: SystemTime,
    /// A sentence: what happened.
    pub reason: String,
    /// The last lines of stderr.
    pub stderr: Vec<String>,
}

impl LastExit {
    /// Whoever asks is shown this: nothing secret stays in it.
    fn mask(&mut self) {
        for text in self.stderr.iter_mut().chain([&mut self.reason]) {
            if let Cow::Owned(masked) = mask::text(text) {
                *text = masked;
            }
        }
    }
}

/// Everything of it that changes by events.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: SystemTime,
    /// The process that runs.
    pub pid: Option<u32>,
    /// How it ended last.
    pub last_exit: Option<LastExit>,
    /// Starts after the first one.
    pub restarts: u64,
    /// Failures in a row.
    pub failures: u32,
    /// The feed that gives the bytes in place of this one.
    pub fallback: Option<String>,
}

/// The condition, to be watched.
#[derive(Clone, Debug)]
pub struct Conditions(watch::Sender<Condition>);

impl Default for Conditions {
    fn default() -> Self {
        Self(watch::Sender::new(Condition {
            state: State::Idle,
            since: SystemTime::now(),
            pid: None,
            last_exit: None,
            restarts: 0,
            failures: 0,
            fallback: None,
        }))
    }
}

impl Conditions {
    /// As it is now.
    pub fn get(&self) -> Condition {
        self.0.borrow().clone()
    }

    /// Told of every change.
    pub fn watch(&self) -> watch::Receiver<Condition> {
        self.0.subscribe()
    }

    /// Changes the state; nobody is told where it is the same.
    pub fn set(&self, state: State) {
        self.0.send_if_modified(|condition| {
            let changed = condition.state != state;
            if changed {
                (condition.state, condition.since) = (state, SystemTime::now());
            }
            changed
        });
    }

    /// Changes anything else.
    pub fn edit(&self, edit: impl FnOnce(&mut Condition)) {
        self.0.send_modify(|condition| {
            edit(condition);
            if let Some(exit) = &mut condition.last_exit {
                exit.mask();
            }
        });
    }
}

//! How reading the configuration went, for whoever asks.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::sync::watch;

use crate::logging::mask;

/// A configuration that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Where it is from: files, or the operator.
    pub from: String,
    /// Names its content; a member's counts up.
    pub revision: String,
    /// When.
    pub at: SystemTime,
}

/// An edit that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: SystemTime,
    /// Its number, where it has one.
    pub number: Option<u64>,
    /// All that is wrong.
    pub diagnostics: Vec<String>,
}

#[derive(Debug)]
struct State {
    loaded: Report,
    /// The number of what runs, and the highest one that was looked at.
    number: u64,
    highest: u64,
    refused: Option<Refused>,
}

/// See the module.
#[derive(Debug)]
pub struct Reports {
    state: Mutex<State>,
    changes: watch::Sender<()>,
}

impl Reports {
    /// Begins with a configuration that was read; `number` is a member's revision, `highest` the highest one that was
    /// looked at.
    pub fn new(loaded: Report, number: u64, highest: u64) -> Self {
        let state = State { loaded, number, highest: highest.max(number), refused: None };
        Self { state: Mutex::new(state), changes: watch::Sender::new(()) }
    }

    /// The configuration that runs.
    pub fn loaded(&self) -> Report {
        self.lock().loaded.clone()
    }

    /// Why the newest edit does not run, if it does not.
    pub fn last_error(&self) -> Option<Refused> {
        self.lock().refused.clone()
    }

    /// The revision of what runs in a member of a cluster; 0 where it has none.
    pub fn number(&self) -> u64 {
        self.lock().number
    }

    /// The highest revision that was taken or refused.
    pub fn highest(&self) -> u64 {
        self.lock().highest
    }

    /// Told whenever a configuration was taken or refused.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(super) fn took(&self, loaded: Report, number: Option<u64>) {
        let mut state = self.lock();
        state.number = number.unwrap_or(state.number);
        state.highest = state.highest.max(state.number);
        (state.loaded, state.refused) = (loaded, None);
        drop(state);
        self.changes.send_replace(());
    }

    /// False where that was said already.
    pub(super) fn refuse(&self, number: Option<u64>, diagnostics: &[String]) -> bool {
        let diagnostics: Vec<_> = diagnostics.iter().map(|line| mask::text(line).into_owned()).collect();
        let mut state = self.lock();
        state.highest = state.highest.max(number.unwrap_or_default());
        let before = state.refused.as_ref();
        if before.is_some_and(|before| before.diagnostics == diagnostics && before.number == number) {
            return false;
        }
        state.refused = Some(Refused { at: SystemTime::now(), number, diagnostics });
        drop(state);
        self.changes.send_replace(());
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

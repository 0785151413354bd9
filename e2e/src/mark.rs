//! Commands of the test's own, and what is left of them.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{children::processes_marked, wait::eventually};

/// A script: bytes of no container, known for that at once, and then 200 kB/s.
pub const STEADY: &str = "head -c 70000 /dev/zero; while :; do head -c 20000 /dev/zero; sleep 0.1; done";

static MARKS: AtomicU32 = AtomicU32::new(0);

/// A text that no other process has in its command line, as the name of a shell for example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(String);

impl Default for Mark {
    fn default() -> Self {
        Self(format!("marked-{}-{}-", process::id(), MARKS.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Mark {
    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The command line of a shell that carries the mark as its name, and runs `script`. Its braces are no placeholders.
    pub fn shell(&self, script: &str) -> Vec<String> {
        let script = script.replace('{', "{{").replace('}', "}}");
        ["sh", "-c", &script, &self.0].map(str::to_owned).into()
    }

    /// Those that carry the mark now.
    pub fn alive(&self) -> Vec<u32> {
        processes_marked(&self.0)
    }

    /// Waits until `count` processes carry the mark.
    pub fn count_is(&self, count: usize) -> Vec<u32> {
        eventually(&format!("{count} processes are marked {}", self.0), || {
            Some(self.alive()).filter(|alive| alive.len() == count)
        })
    }

    /// Waits until none does.
    pub fn gone(&self) {
        self.count_is(0);
    }
}

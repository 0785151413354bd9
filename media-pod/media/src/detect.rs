//! Finding out which container it is.

use millrace_bus::Container;

use crate::ts::sync::{self, Sync};

/// Looked at in steps of so many bytes, that the answer not depend on how the bytes were split.
const STEP: usize = 32;

pub(crate) enum Guess {
    Is(Container),
    More,
}

/// Gathers the first bytes until they tell.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    gathered: Vec<u8>,
    looked: usize,
    ts_from: usize,
}

impl Probe {
    /// Looks at the next bytes, which are kept only if they do not tell.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Guess {
        if self.gathered.is_empty() {
            if let Some(container) = self.look(piece) {
                return Guess::Is(container);
            }
            self.gathered.extend_from_slice(piece);
            return Guess::More;
        }
        let before = self.gathered.len();
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.extend_from_slice(piece);
        let found = self.look(&gathered);
        if found.is_some() {
            gathered.truncate(before);
        }
        self.gathered = gathered;
        found.map_or(Guess::More, Guess::Is)
    }

    /// What was gathered before the piece that told.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.gathered)
    }

    fn look(&mut self, bytes: &[u8]) -> Option<Container> {
        while let Some(first) = bytes.get(..self.looked + STEP) {
            self.looked += STEP;
            if let Some(container) = self.guess(first) {
                return Some(container);
            }
        }
        None
    }

    fn guess(&mut self, bytes: &[u8]) -> Option<Container> {
        match sync::find(bytes, self.ts_from, true) {
            Sync::At(_) => return Some(Container::MpegTs),
            Sync::Maybe(from) => self.ts_from = from,
        }
        None
    }
}

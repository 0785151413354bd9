//! Walking over a container in pieces of any size: what a parser asks for is gathered, what it skips is not.

use crate::found::Found;

/// What a parser may ask to see at once.
const LARGEST_NEED: usize = 32 * 1024;
/// Steps without progress after which a parser is taken to be stuck.
const STUCK: u32 = 64;

/// What a parser wants next.
#[derive(Debug)]
pub(crate) enum Step {
    /// To see at least so many bytes from here, more than it was shown.
    Need(usize),
    /// To go on after so many bytes; they may not have come yet.
    Skip(u64),
    /// To be handed so many bytes as they come, see [`Walk::data`].
    Take(u64),
    /// Nothing more: these bytes make no sense.
    Lost,
}

/// A container's parser, shown its bytes from where it wants.
///
/// What a step says must depend on no more of the window than what the parser asked for, so that the marks are the
/// same however the bytes were split.
pub(crate) trait Walk: std::fmt::Debug + Send {
    /// Looks at the bytes at offset `at`; `window` is never empty.
    fn step(&mut self, window: &[u8], at: u64, found: &mut Found) -> Step;
    /// Bytes it wanted to [`Take`](Step::Take).
    fn data(&mut self, _piece: &[u8], _found: &mut Found) {}
    /// All of them have come.
    fn taken(&mut self, _found: &mut Found) {}
    /// What completes a part-written unit when the writer is gone: so many bytes of what was to be skipped are
    /// missing, or these of what was to be looked at have come.
    fn completion(&self, _missing: u64, _begun: &[u8]) -> Vec<u8> {
        Vec::new()
    }
}

/// Where a walk stands.
#[derive(Debug, Default)]
pub(crate) struct Place {
    at: u64,
    pending: Vec<u8>,
    head: usize,
    need: usize,
    skip: u64,
    take: u64,
}

impl Place {
    /// Walks over the next piece. False when the parser is lost.
    pub(crate) fn push(&mut self, walk: &mut dyn Walk, chunk: &[u8], found: &mut Found) -> bool {
        let mut rest = chunk;
        let mut idle = 0;
        loop {
            let before = (self.at, rest.len());
            self.pass(walk, &mut rest, found);
            if self.skip > 0 || self.take > 0 {
                return true;
            }
            if !self.gather(&mut rest) {
                return true;
            }
            let gathered = self.pending.get(self.head..).unwrap_or_default();
            let direct = gathered.is_empty();
            let window = if direct { rest } else { gathered };
            let len = window.len();
            match walk.step(window, self.at, found) {
                Step::Need(n) if n > LARGEST_NEED => return false,
                Step::Need(n) if n > len => {
                    self.need = n;
                    if direct {
                        self.pending.extend_from_slice(rest);
                        rest = &[];
                    }
                }
                Step::Need(_) => {}
                Step::Skip(n) => self.skip = n,
                Step::Take(n) => {
                    self.take = n;
                    if n == 0 {
                        walk.taken(found);
                    }
                }
                Step::Lost => return false,
            }
            idle = if before == (self.at, rest.len()) && self.skip == 0 && self.take == 0 {
                idle + 1
            } else {
                0
            };
            if idle > STUCK {
                return false;
            }
        }
    }

    /// The writer is gone: what completes the unit under way. If nothing does, the next bytes begin another.
    pub(crate) fn abandon(&mut self, walk: &mut dyn Walk, found: &mut Found) -> Vec<u8> {
        let begun = self.pending.get(self.head..).unwrap_or_default();
        let bytes = walk.completion(self.skip, begun);
        if bytes.is_empty() {
            *self = Self { at: self.at.saturating_add(begun.len() as u64), ..Self::default() };
        } else {
            self.push(walk, &bytes, found);
        }
        bytes
    }

    /// Passes over what is to be skipped or taken, gathered bytes first.
    fn pass(&mut self, walk: &mut dyn Walk, rest: &mut &[u8], found: &mut Found) {
        while self.skip > 0 || self.take > 0 {
            let gathered = self.pending.get(self.head..).unwrap_or_default();
            let (source, direct) = if gathered.is_empty() { (*rest, true) } else { (gathered, false) };
            let wanted = if self.skip > 0 { self.skip } else { self.take };
            let n = usize::try_from(wanted).unwrap_or(usize::MAX).min(source.len());
            if n == 0 {
                return;
            }
            if self.skip > 0 {
                self.skip -= n as u64;
            } else {
                walk.data(source.get(..n).unwrap_or_default(), found);
                self.take -= n as u64;
                if self.take == 0 {
                    walk.taken(found);
                }
            }
            self.at = self.at.saturating_add(n as u64);
            if direct {
                *rest = rest.get(n..).unwrap_or_default();
            } else {
                self.head += n;
            }
            self.need = 0;
            self.tidy();
        }
    }

    /// Gathers as much as was asked for. False if there is nothing to look at yet.
    fn gather(&mut self, rest: &mut &[u8]) -> bool {
        let have = self.pending.len() - self.head;
        if have == 0 {
            return !rest.is_empty();
        }
        let (more, left) = rest.split_at(self.need.saturating_sub(have).min(rest.len()));
        self.pending.extend_from_slice(more);
        *rest = left;
        self.pending.len() - self.head >= self.need
    }

    fn tidy(&mut self) {
        if self.head == self.pending.len() {
            self.pending.clear();
            self.head = 0;
        } else if self.head >= 4096 && self.head * 2 > self.pending.len() {
            self.pending.drain(..self.head);
            self.head = 0;
        }
    }
}

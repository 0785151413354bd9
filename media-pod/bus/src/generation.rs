//! A generation: one run of what writes a channel.

use std::sync::Arc;

use crate::{
    Format, Header,
    sync::{AtomicBool, Latest, Ordering},
};

/// One run of the process, file or connection that writes a channel.
///
/// Bytes of two generations never mix in a cache; a viewer passes from one to the next only where the container
/// allows it ([`crate::Container::continues`]).
#[derive(Debug)]
pub struct Generation {
    number: u64,
    epoch: u64,
    base: u64,
    format: Latest<Format>,
    decided: AtomicBool,
    ended_unknown: AtomicBool,
    header: Latest<Header>,
}

impl Generation {
    pub(crate) fn new(number: u64, epoch: u64, base: u64, format: Option<Arc<Format>>) -> Self {
        let decided = AtomicBool::new(format.is_some());
        let ended_unknown = AtomicBool::new(false);
        Self {
            number,
            epoch,
            base,
            format: Latest::new(format),
            decided,
            ended_unknown,
            header: Latest::new(None),
        }
    }

    /// Counts the runs of a channel, from 1; 0 is the channel before its first run.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The epoch of the feed's owner, for fencing; 0 where nobody fences.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Channel offset of its first byte.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// What it carries, once that is known.
    pub fn format(&self) -> Option<Arc<Format>> {
        self.format.get()
    }

    /// What a late joiner needs first, once that is known.
    pub fn header(&self) -> Option<Arc<Header>> {
        self.header.get()
    }

    /// Whether it is known what it carries; without a format then, it is bytes of no known container.
    pub fn decided(&self) -> bool {
        self.decided.load(Ordering::Acquire)
    }

    /// Whether it ended before it was known what it carried. Who reads a known container passes it over.
    pub(crate) fn ended_unknown(&self) -> bool {
        self.ended_unknown.load(Ordering::Acquire)
    }

    /// It is over: if nobody knows by now what it carried, nobody ever will.
    pub(crate) fn end(&self) {
        if !self.decided() {
            self.ended_unknown.store(true, Ordering::Release);
            self.set_format(None);
        }
    }

    pub(crate) fn set_format(&self, format: Option<Arc<Format>>) {
        self.format.set(format);
        self.decided.store(true, Ordering::Release);
    }

    pub(crate) fn set_header(&self, header: Arc<Header>) {
        self.header.set(Some(header));
    }

    /// Whether a viewer of `self` may go on with the bytes of `next`.
    pub fn continues_in(&self, next: &Self) -> bool {
        match (self.format(), next.format()) {
            (Some(old), Some(new)) => old.container == new.container && new.container.continues(),
            // Bytes of no known container have nothing that a new run could break.
            (None, None) => true,
            // The channel before its first run had no viewers' bytes.
            (None, Some(_)) => self.number == 0,
            (Some(_), None) => false,
        }
    }
}

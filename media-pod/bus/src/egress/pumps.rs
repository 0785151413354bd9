//! The pipes that one shard reads.

use mio::{Interest, Registry, Token, unix::pipe::Receiver};
use slab::Slab;

use super::{Flow, Pump};

/// Set in the tokens of pumps, not in those of seats.
const PUMP: usize = 1 << (usize::BITS - 2);

struct Reading {
    number: u64,
    pipe: Receiver,
    pump: Box<dyn Pump>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Pumps {
    all: Slab<Reading>,
    /// To be read again, and whether nobody writes them any more.
    thirsty: Vec<(usize, bool)>,
}

impl Pumps {
    /// The pump that a token is of.
    pub fn of(token: Token) -> Option<usize> {
        (token.0 & PUMP != 0).then_some(token.0 & !PUMP)
    }

    pub fn is_thirsty(&self) -> bool {
        !self.thirsty.is_empty()
    }

    /// False: the pipe cannot be polled.
    pub fn add(&mut self, registry: &Registry, number: u64, pipe: Receiver, pump: Box<dyn Pump>) -> bool {
        let entry = self.all.vacant_entry();
        let token = Token(PUMP | entry.key());
        let reading = entry.insert(Reading { number, pipe, pump });
        let registered = registry.register(&mut reading.pipe, token, Interest::READABLE);
        if let Err(error) = &registered {
            tracing::error!(%error, "a pipe cannot be polled");
        }
        registered.is_ok()
    }

    /// True: there was one of that number.
    pub fn remove(&mut self, registry: &Registry, number: u64) -> bool {
        let found = self.all.iter().find(|(_, reading)| reading.number == number);
        let Some(key) = found.map(|(key, _)| key) else { return false };
        let mut reading = self.all.remove(key);
        let _ = registry.deregister(&mut reading.pipe);
        true
    }

    /// Reads a pipe once; all others have their turn before it is read again. The number of one that is over.
    pub fn read(&mut self, key: usize, closed: bool) -> Option<u64> {
        let Reading { number, pipe, pump } = self.all.get_mut(key)?;
        match pump.read(pipe, closed) {
            Flow::More => match self.thirsty.iter_mut().find(|(other, _)| *other == key) {
                // It hung up after it was read for the last time.
                Some((_, is)) => *is |= closed,
                None => self.thirsty.push((key, closed)),
            },
            Flow::Empty => {}
            Flow::Over => return Some(*number),
        }
        None
    }

    /// Those to be read again, now.
    pub fn take_thirsty(&mut self) -> Vec<(usize, bool)> {
        std::mem::take(&mut self.thirsty)
    }
}

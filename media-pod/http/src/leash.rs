//! How a viewer is told to go.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use millrace_bus::egress::{Poke, Sink};

/// Held by whoever may tell a viewer to go.
#[derive(Debug, Default)]
pub(crate) struct Leash(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pulled: bool,
    poke: Option<Poke>,
}

impl Leash {
    /// The viewer leaves at its shard's next look, which follows at once.
    pub fn pull(&self) {
        let mut state = self.state();
        state.pulled = true;
        if let Some(poke) = &state.poke {
            poke.poke();
        }
    }

    pub fn is_pulled(&self) -> bool {
        self.state().pulled
    }

    fn poked_by(&self, poke: Poke) {
        let mut state = self.state();
        if state.pulled {
            // Pulled before there was anything to poke.
            poke.poke();
        }
        state.poke = Some(poke);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sink that can be told to go.
pub(crate) struct Leashed<S> {
    pub sink: S,
    pub leash: Arc<Leash>,
}

impl<S: Sink> Sink for Leashed<S> {
    fn write(&mut self, parts: &[Bytes]) -> io::Result<usize> {
        self.sink.write(parts)
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.sink.flush()
    }

    fn drain(&mut self) -> io::Result<bool> {
        if self.leash.is_pulled() { Ok(false) } else { self.sink.drain() }
    }

    fn source(&mut self) -> Option<&mut mio::net::TcpStream> {
        self.sink.source()
    }

    fn poked_by(&mut self, poke: Poke) {
        self.leash.poked_by(poke.clone());
        self.sink.poked_by(poke);
    }

    fn unacknowledged(&self) -> u64 {
        self.sink.unacknowledged()
    }

    fn set_budget(&mut self, bytes: usize) {
        self.sink.set_budget(bytes);
    }

    fn close(&mut self, orderly: bool) {
        self.sink.close(orderly || self.leash.is_pulled());
    }
}

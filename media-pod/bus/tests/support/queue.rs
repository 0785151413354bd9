//! A sink without a socket: a queue with as much room as the test gives it.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use millrace_bus::egress::{Poke, Sink};

#[derive(Clone, Default)]
pub struct Queue(Arc<Mutex<State>>);

#[derive(Default)]
pub struct State {
    pub room: usize,
    /// Taken, but still in the sink itself, as TLS records are; up to `hides` bytes.
    hidden: Vec<u8>,
    pub hides: usize,
    pub bytes: Vec<u8>,
    pub writes: usize,
    pub hung_up: bool,
    /// How it was closed: orderly or not.
    pub closed: Option<bool>,
    poke: Option<Poke>,
}

impl Queue {
    pub fn with_room(room: usize) -> Self {
        let queue = Self::default();
        queue.state().room = room;
        queue
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panicked")
    }

    /// Makes room for so many bytes more.
    pub fn make_room(&self, bytes: usize) {
        self.state().room += bytes;
        self.poke();
    }

    pub fn hang_up(&self) {
        self.state().hung_up = true;
        self.poke();
    }

    fn poke(&self) {
        let poke = self.state().poke.clone();
        if let Some(poke) = poke {
            poke.poke();
        }
    }
}

impl State {
    fn pass_on(&mut self) {
        let passed = self.room.min(self.hidden.len());
        self.room -= passed;
        let passed: Vec<u8> = self.hidden.drain(..passed).collect();
        self.bytes.extend(passed);
    }
}

impl Sink for Queue {
    fn write(&mut self, parts: &[Bytes]) -> io::Result<usize> {
        let mut state = self.state();
        state.pass_on();
        let mut room = if state.hides > 0 { state.hides - state.hidden.len() } else { state.room };
        let mut taken = 0;
        for part in parts {
            let piece = &part[..part.len().min(room)];
            room -= piece.len();
            taken += piece.len();
            state.hidden.extend_from_slice(piece);
        }
        state.pass_on();
        state.writes += 1;
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<bool> {
        let mut state = self.state();
        state.pass_on();
        Ok(state.hidden.is_empty())
    }

    fn drain(&mut self) -> io::Result<bool> {
        Ok(!self.state().hung_up)
    }

    fn poked_by(&mut self, poke: Poke) {
        self.state().poke = Some(poke);
    }

    fn close(&mut self, orderly: bool) {
        self.state().closed = Some(orderly);
    }
}

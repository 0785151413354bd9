//! A thread with its share of the viewers.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use super::Spec;
use super::conn::{Buffers, Conn};
use super::stats::Stats;

/// So many may be between connecting and their answer's head at once: a listen queue may be short.
const OPENING: usize = 24;

/// What a thread shows to the outside.
#[derive(Default)]
pub struct Shared {
    /// The thread ends when this is set.
    pub stop: AtomicBool,
    /// What its viewers have seen.
    pub stats: Mutex<Stats>,
}

impl Shared {
    /// Locks the statistics.
    pub fn stats(&self) -> std::sync::MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `spec.count` viewers until told to stop.
pub fn run(spec: &Spec, shared: &Arc<Shared>) -> Result<()> {
    let mut poll = Poll::new()?;
    let registry = poll.registry().try_clone()?;
    let mut worker = Worker { spec, registry, conns: Slab::new(), started: 0, opening: 0 };
    let mut events = Events::with_capacity(1024);
    let mut buffers = Buffers::default();
    shared.stats().per_viewer = vec![0; spec.count];
    while !shared.stop.load(Ordering::Relaxed) {
        worker.start_some(&mut shared.stats());
        match poll.poll(&mut events, Some(Duration::from_millis(20))) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            worker.handle(event, &mut buffers, &mut shared.stats());
        }
    }
    Ok(())
}

struct Worker<'a> {
    spec: &'a Spec,
    registry: Registry,
    conns: Slab<Conn>,
    started: usize,
    opening: usize,
}

impl Worker<'_> {
    fn start_some(&mut self, stats: &mut Stats) {
        while self.started < self.spec.count && self.opening < OPENING {
            let number = self.started;
            self.started += 1;
            let opened = Conn::open(self.spec, number, number < self.spec.stuck);
            let registered = opened.and_then(|mut conn| {
                let token = Token(self.conns.vacant_key());
                self.registry.register(&mut conn.stream, token, Interest::READABLE | Interest::WRITABLE)?;
                Ok(conn)
            });
            match registered {
                Ok(conn) => {
                    self.conns.insert(conn);
                    self.opening += 1;
                }
                Err(e) => stats.end(format!("{e:#}")),
            }
        }
    }

    fn handle(&mut self, event: &mio::event::Event, buffers: &mut Buffers, stats: &mut Stats) {
        let i = event.token().0;
        let Some(conn) = self.conns.get_mut(i) else { return };
        let had_head = conn.has_head();
        let mut done = Ok(());
        if event.is_writable() {
            done = conn.writable();
        }
        if done.is_ok() && event.is_readable() {
            let ended = event.is_read_closed() || event.is_error();
            done = conn.readable(ended, buffers, stats);
        }
        if !had_head && (conn.has_head() || done.is_err()) {
            self.opening = self.opening.saturating_sub(1);
        }
        if let Err(e) = done {
            stats.end(format!("{e:#}"));
            self.conns.remove(i);
        } else if conn.stuck && conn.has_head() {
            let _ = self.registry.deregister(&mut conn.stream);
        }
    }
}

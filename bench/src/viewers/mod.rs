//! The load: any number of HTTP viewers in a thread or two, who read as it comes, or stop.

mod conn;
pub(crate) mod h1;
mod h2;
mod scan;
mod stats;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rustls::ClientConfig;

pub use self::stats::Stats;
use self::worker::Shared;

/// The version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1
    #[default]
    One,
    /// HTTP/2, by prior knowledge where there is no TLS
    Two,
}

/// What to watch, and how many.
#[derive(Clone)]
pub struct Spec {
    /// The server.
    pub addr: SocketAddr,
    /// The path, with a query if any.
    pub path: String,
    /// How many viewers.
    pub count: usize,
    /// So many of them never read after the head of the answer.
    pub stuck: usize,
    /// TLS, and whom to trust.
    pub tls: Option<Arc<ClientConfig>>,
    /// The version of HTTP.
    pub http: Http,
}

impl Spec {
    /// Plain HTTP/1.1 viewers, all of whom read.
    pub fn plain(addr: SocketAddr, path: &str, count: usize) -> Self {
        Self { addr, path: path.to_owned(), count, stuck: 0, tls: None, http: Http::One }
    }
}

/// Viewers that watch until this is dropped.
pub struct Viewers {
    spec: Spec,
    threads: Vec<(Arc<Shared>, JoinHandle<Result<()>>)>,
}

impl Viewers {
    /// Begins to connect them, in one thread.
    pub fn start(spec: Spec) -> Self {
        Self::start_in(spec, 1)
    }

    /// Begins to connect them, in so many threads.
    pub fn start_in(spec: Spec, threads: usize) -> Self {
        let share = |total: usize, i: usize| total / threads + usize::from(i < total % threads);
        let threads = (0..threads).map(|i| {
            let part = Spec { count: share(spec.count, i), stuck: share(spec.stuck, i), ..spec.clone() };
            let shared = Arc::new(Shared::default());
            let theirs = Arc::clone(&shared);
            (shared, thread::spawn(move || worker::run(&part, &theirs)))
        });
        Self { threads: threads.collect(), spec }
    }

    /// What they have seen since [`Viewers::restart`].
    pub fn stats(&self) -> Stats {
        let mut all = Stats::default();
        for (shared, _) in &self.threads {
            all.merge(&shared.stats());
        }
        all
    }

    /// Begins a new window of measurement.
    pub fn restart(&self) {
        let now = crate::clock::now_ns();
        for (shared, _) in &self.threads {
            shared.stats().restart(now);
        }
    }

    /// Waits until each has its answer, and, if it reads, stream.
    pub fn wait_flowing(&self, limit: Duration) -> Result<()> {
        let until = Instant::now() + limit;
        loop {
            let s = self.stats();
            if let Some(why) = &s.complaint {
                bail!("{} of {} viewers were disconnected: {why}", s.closed, self.spec.count);
            }
            if s.heads == self.spec.count && s.flowing >= self.spec.count - self.spec.stuck {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "of {} viewers {} have an answer and {} stream after {limit:?}",
                self.spec.count,
                s.heads,
                s.flowing
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Viewers {
    fn drop(&mut self) {
        for (shared, _) in &self.threads {
            shared.stop.store(true, Ordering::Relaxed);
        }
        for (_, thread) in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

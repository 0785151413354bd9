//! What a command reads: each feed into its own descriptor, by a task of its own.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use millrace_bus::Subscriber;
use tokio::{io::AsyncWriteExt, net::unix::pipe, task::JoinSet};

/// Bytes written to a command so far, all inputs together.
pub type Fed = Arc<AtomicU64>;

/// Writes each of `from` into its pipe until either side ends. Dropping this ends it and closes the pipes.
#[derive(Debug)]
pub struct Inputs {
    _tasks: JoinSet<()>,
}

impl Inputs {
    /// Begins to write.
    pub fn start(from: Vec<Subscriber>, to: Vec<pipe::Sender>, fed: &Fed) -> Self {
        let mut tasks = JoinSet::new();
        for (subscriber, pipe) in from.into_iter().zip(to) {
            let fed = fed.clone();
            tasks.spawn(async move {
                let name = subscriber.channel().name().clone();
                match write(subscriber, pipe, &fed).await {
                    // The command does not want to read any more, which is its right.
                    Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
                    Err(e) => tracing::debug!(feed = %name, error = %e, "a command's input ended"),
                    Ok(()) => {}
                }
            });
        }
        Self { _tasks: tasks }
    }
}

async fn write(mut from: Subscriber, mut to: pipe::Sender, fed: &Fed) -> io::Result<()> {
    while let Ok(bytes) = from.next().await {
        to.write_all(&bytes).await?;
        fed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

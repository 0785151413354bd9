//! The election has a thread and a client of its own, so that nothing else can keep it from renewing.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    thread,
};

use kube::Config;
use tokio::{
    runtime,
    sync::{oneshot, watch},
};
use tracing::warn;

use super::{
    Term,
    lease::{Candidacy, End, run},
    lines::Lines,
};
use crate::{api, metrics::Metrics};

/// A candidacy under way.
pub struct Election {
    /// Says how it ended.
    pub ended: oneshot::Receiver<End>,
    /// True ends it: what is held is released.
    pub release: watch::Sender<bool>,
}

/// Begins to be a candidate, by the Lease `lease` of `namespace`, for the replica `replica`.
///
/// # Errors
/// Where there can be no thread.
pub fn begin(
    config: Config,
    (namespace, lease): (String, String),
    replica: &str,
    term: Arc<Term>,
    metrics: Arc<Metrics>,
) -> std::io::Result<Election> {
    let (release, stop) = watch::channel(false);
    let (end, ended) = oneshot::channel();
    // A name that no other process ever has, not even the next one of the same pod.
    let name = format!("{replica}_{:016x}", RandomState::new().hash_one(std::process::id()));
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("election".to_owned()).spawn(move || {
        let how = runtime.block_on(async move {
            let counts = Arc::clone(&metrics);
            let lines = match Lines::new(move || api::client(config.clone(), &counts)) {
                Ok(lines) => lines,
                Err(error) => {
                    warn!("no client for the election: {error}");
                    return End::Lost;
                }
            };
            tokio::spawn(show(term.watch(), metrics));
            run(Candidacy { lines, namespace, lease, name, term, stop }).await
        });
        // Nobody to tell: the process ends anyway.
        let _ = end.send(how);
    })?;
    Ok(Election { ended, release })
}

async fn show(mut leads: watch::Receiver<bool>, metrics: Arc<Metrics>) {
    loop {
        let now = *leads.borrow_and_update();
        metrics.leader.set(i64::from(now));
        if leads.changed().await.is_err() {
            return;
        }
    }
}

//! Where a feed waits for a publisher, and the publisher that it has.

use std::{
    future, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::StatusCode;
use millrace_http::{BoxFuture, Refusal, Sender, Sent, Taking};
use tokio::{
    sync::watch,
    time::{self, timeout},
};

use super::{
    Feed,
    slot::{Go, Slot, Turn},
};
use crate::{hold::Hold, inlet::Inlet};

/// A feed that is needed takes what comes after this time at the latest.
const PATIENCE: Duration = Duration::from_secs(10);
/// For `Retry-After`.
pub const AGAIN: Duration = Duration::from_secs(1);

/// See the module. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct Point(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changes: watch::Sender<()>,
    joined: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    slot: Slot,
    /// Where the bytes of the run go that is offered, or given into.
    inlet: Option<Inlet>,
    publisher: Option<Publisher>,
}

/// Who publishes.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// How it sends.
    pub protocol: &'static str,
    /// What it calls itself.
    pub user_agent: Arc<str>,
    /// Since when.
    pub since: SystemTime,
    /// Bytes so far.
    pub bytes: Arc<AtomicU64>,
}

impl Point {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of whoever comes, or has come and given nothing yet, are bytes of this run from now on, until the offer is dropped.
    pub fn offer(&self, inlet: &Inlet, run: u64) -> Offer {
        let mut state = self.state();
        state.slot.offer(run);
        state.inlet = Some(inlet.clone());
        drop(state);
        self.0.changes.send_replace(());
        Offer(self.clone())
    }

    /// Who publishes now.
    pub fn publisher(&self) -> Option<Publisher> {
        let state = self.state();
        state.publisher.clone().filter(|_| state.slot.is_taken())
    }

    /// Publishers that were let in so far, and those that were not because there was one.
    pub fn counts(&self) -> [u64; 2] {
        [self.0.joined.load(Ordering::Relaxed), self.0.refused.load(Ordering::Relaxed)]
    }
}

/// A run that waits for a publisher, or has one.
#[derive(Debug)]
pub struct Offer(Point);

impl Drop for Offer {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.slot.withdraw();
        state.inlet = None;
        drop(state);
        self.0.0.changes.send_replace(());
    }
}

/// Lets `sender` publish to `feed`, at `path`; nobody else may until it has left.
pub fn join(feed: &Arc<Feed>, path: &str, sender: Sender) -> Result<Joined, Refusal> {
    let point = feed.point.clone();
    let mut state = point.state();
    let Some(turn) = state.slot.join() else {
        drop(state);
        point.0.refused.fetch_add(1, Ordering::Relaxed);
        tracing::info!(peer = %sender.peer, path, protocol = sender.protocol, "publisher refused: there is one");
        return Err(Refusal {
            status: StatusCode::CONFLICT,
            reason: format!("Somebody publishes at {path} already, and one at a time may."),
            retry_after: None,
        });
    };
    let Sender { peer, protocol, user_agent, .. } = sender;
    let bytes = Arc::new(AtomicU64::new(0));
    let publisher = Publisher { peer, protocol, user_agent, since: SystemTime::now(), bytes };
    state.publisher = Some(publisher.clone());
    drop(state);
    point.0.joined.fetch_add(1, Ordering::Relaxed);
    tracing::info!(%peer, path, protocol, user_agent = ?publisher.user_agent, "publisher joined");
    Ok(Joined {
        changes: point.0.changes.subscribe(),
        point,
        turn,
        publisher,
        path: path.to_owned(),
        reason: "hung up".to_owned(),
        _hold: feed.demand.hold(),
        feed: feed.clone(),
    })
}

/// A publisher that was let in, until dropped. The feed runs for it as it does for viewers.
pub struct Joined {
    feed: Arc<Feed>,
    point: Point,
    turn: Turn,
    publisher: Publisher,
    path: String,
    changes: watch::Receiver<()>,
    /// Why it leaves.
    reason: String,
    _hold: Hold,
}

impl Taking for Joined {
    fn take(mut self: Box<Self>, content: &mut dyn Sent) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let outcome = self.all(content).await;
            self.reason = outcome.as_ref().map_or_else(|no| no.reason.clone(), |()| "ended".to_owned());
            outcome
        })
    }
}

impl Joined {
    async fn all(&mut self, content: &mut dyn Sent) -> Result<(), Refusal> {
        let mut heard = Instant::now();
        loop {
            let silence = self.feed.spec().silence;
            let next = tokio::select! {
                biased;
                () = self.dismissed() => return Err(dismissed()),
                next = content.next() => next,
                () = silent(heard, silence) => return Err(Refusal {
                    status: StatusCode::REQUEST_TIMEOUT,
                    reason: format!("Nothing came for {} s.", silence.as_secs_f64()),
                    retry_after: None,
                }),
            };
            match next {
                Ok(Some(bytes)) => self.give(&bytes).await?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    return Err(Refusal {
                        status: StatusCode::BAD_REQUEST,
                        reason: format!("What is sent ends in its middle: {error}"),
                        retry_after: None,
                    });
                }
            }
            heard = Instant::now();
        }
    }

    /// Until it has to go.
    async fn dismissed(&mut self) {
        while self.point.state().slot.holds(self.turn) {
            if self.changes.changed().await.is_err() {
                future::pending::<()>().await;
            }
        }
    }

    async fn give(&mut self, bytes: &Bytes) -> Result<(), Refusal> {
        loop {
            let (go, inlet) = {
                let mut state = self.point.state();
                self.changes.mark_unchanged();
                (state.slot.gives(self.turn), state.inlet.clone())
            };
            match (go, inlet) {
                (Go::Into(run), Some(inlet)) if inlet.take(run, bytes) => {
                    self.publisher.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    return Ok(());
                }
                (Go::Wait, _) => {
                    if timeout(PATIENCE, self.changes.changed()).await.is_err() {
                        return Err(Refusal::unavailable("The feed takes nothing at the moment.", AGAIN));
                    }
                }
                (Go::Into(_) | Go::Over, _) => return Err(dismissed()),
            }
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let mut state = self.point.state();
        let run = state.slot.leaves(self.turn);
        let inlet = state.inlet.clone().filter(|_| run.is_some());
        drop(state);
        let Publisher { peer, protocol, ref bytes, since, .. } = self.publisher;
        let (path, reason) = (&self.path, &self.reason);
        if let Some((inlet, run)) = inlet.zip(run) {
            inlet.ended(run, Err(io::Error::other(format!("the publisher {peer} left: {reason}"))));
        }
        let seconds = since.elapsed().unwrap_or_default().as_secs();
        let bytes = bytes.load(Ordering::Relaxed);
        tracing::info!(%peer, path, protocol, bytes, seconds, reason, "publisher left");
    }
}

fn dismissed() -> Refusal {
    Refusal::unavailable("The feed does not go on with this: begin anew.", AGAIN)
}

async fn silent(heard: Instant, silence: Duration) {
    if silence.is_zero() {
        future::pending::<()>().await;
    }
    time::sleep_until((heard + silence).into()).await;
}

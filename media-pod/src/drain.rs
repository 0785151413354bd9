//! The end: nothing new, time for the work to move, and some time for who watches.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::{sync::watch, time};

use crate::{origin::Links, site::Front};

/// How long viewers have to leave in any case.
const GRACE: Duration = Duration::from_millis(500);
/// Who comes meanwhile was sent here by somebody who does not know yet that this media pod is not ready any more.
const NEWS_TRAVELS: Duration = Duration::from_secs(3);
/// Between two looks at what is left.
const LOOK: Duration = Duration::from_millis(100);

/// Whether the end is near, and what is still to be done.
#[derive(Debug, Default)]
pub struct Draining {
    on: watch::Sender<bool>,
    feeds_left: AtomicU64,
}

impl Draining {
    /// Whether nothing new should come.
    pub fn is_on(&self) -> bool {
        *self.on.borrow()
    }

    /// Told when that begins.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.on.subscribe()
    }

    /// Until it has begun.
    pub async fn begun(&self) {
        // The sender is this.
        let _ = self.watch().wait_for(|on| *on).await;
    }

    /// Feeds that this media pod owns and another is to own before the end.
    pub fn feeds_left(&self) -> u64 {
        self.feeds_left.load(Ordering::Relaxed)
    }
}

/// Says that the end is near, and goes on for up to `grace`: until others own what `links` say is owned here, balancers have
/// gone to them, and viewers have left. Then all doors are closed.
pub async fn drain(front: &Front, links: Option<&Links>, grace: Duration) {
    let until = Instant::now() + grace.max(GRACE);
    let left = || until.saturating_duration_since(Instant::now());
    let draining = &front.pod.shop().draining;
    draining.feeds_left.store(links.map_or(0, Links::held) as u64, Ordering::Relaxed);
    draining.on.send_replace(true);
    tracing::info!(seconds = grace.as_secs(), feeds = draining.feeds_left(), "ending");
    if !grace.is_zero() {
        let news = time::sleep(NEWS_TRAVELS.min(grace));
        match links {
            Some(links) => drop(tokio::join!(news, moved(draining, links, until))),
            None => news.await,
        }
    }
    // The inner one is open longest: it is asked whether this media pod is ready.
    for door in front.doors() {
        door.shutdown(left()).await;
    }
}

/// Until all work has gone elsewhere, or it is too late for that.
async fn moved(draining: &Draining, links: &Links, until: Instant) {
    let mut said = None;
    loop {
        let (feeds, sessions) = (links.held(), links.sessions());
        draining.feeds_left.store(feeds as u64, Ordering::Relaxed);
        if feeds == 0 && sessions == 0 {
            tracing::info!("nothing is left to be moved");
            return;
        }
        if Instant::now() >= until {
            tracing::warn!(feeds, sessions, "the end comes before all of it has moved");
            return;
        }
        if said.replace((feeds, sessions)) != Some((feeds, sessions)) {
            tracing::info!(feeds, sessions, "left to be moved");
        }
        time::sleep(LOOK).await;
    }
}

//! The end: nothing new, and some time for who watches.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tokio::time;

use crate::site::Front;

/// How long viewers have to leave in any case.
const GRACE: Duration = Duration::from_millis(500);
/// Who comes meanwhile was sent here by somebody who does not know yet that this media pod is not ready any more.
const NEWS_TRAVELS: Duration = Duration::from_secs(3);

/// Says that the end is near, and lets viewers watch on for up to `grace`. Then all doors are closed.
pub async fn drain(front: &Front, grace: Duration) {
    let until = Instant::now() + grace.max(GRACE);
    let left = || until.saturating_duration_since(Instant::now());
    front.pod.shop().draining.store(true, Ordering::Relaxed);
    tracing::info!(seconds = grace.as_secs(), "ending");
    if !grace.is_zero() {
        time::sleep(NEWS_TRAVELS.min(grace)).await;
    }
    // The inner one is open longest: it is asked whether this media pod is ready.
    for door in front.doors() {
        door.shutdown(left()).await;
    }
}

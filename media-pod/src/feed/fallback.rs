//! Other feeds that take over while a feed gives nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use millrace_bus::{End, Join, Start, Subscriber};

use super::Feed;
use crate::{hold::Hold, shop::Shop};

/// A fallback that gives nothing for this long is passed over for the next one.
const PATIENCE: Duration = Duration::from_secs(3);

/// The fallback that is being tried, or gives the bytes.
pub struct Fallback {
    list: Vec<String>,
    next: usize,
    active: Option<Active>,
}

struct Active {
    feed: Arc<Feed>,
    name: String,
    subscriber: Subscriber,
    heard: Instant,
    given: bool,
    _hold: Hold,
}

/// What a fallback did.
pub enum Turn {
    /// The first bytes of a fallback of this name: another run begins.
    Begins(String, Bytes),
    /// More of the same.
    Goes(Bytes),
    /// It gave up; another one is tried.
    Changes,
}

impl Fallback {
    /// The feeds of `list`, in order.
    pub fn new(list: &[String]) -> Self {
        Self { list: list.to_vec(), next: 0, active: None }
    }

    /// Whether there is any.
    pub fn exists(&self) -> bool {
        !self.list.is_empty()
    }

    /// The feed is back: the fallback is let go, and the order begins anew.
    pub fn stand_down(&mut self) {
        self.active = None;
        self.next = 0;
    }

    /// What comes next of it. Cancel safe.
    pub async fn next(&mut self, shop: &Shop) -> Turn {
        let Some(active) = &mut self.active else {
            let name = self.list.get(self.next % self.list.len().max(1)).cloned().unwrap_or_default();
            self.next += 1;
            let Some(feed) = shop.feed(&name) else {
                tokio::time::sleep(PATIENCE).await;
                return Turn::Changes;
            };
            let hold = feed.demand.hold();
            let joined = feed.channel.join(Join { header: true, start: Start::Last });
            let subscriber = Subscriber::new(joined, true);
            self.active =
                Some(Active { feed, name, subscriber, heard: Instant::now(), given: false, _hold: hold });
            return Turn::Changes;
        };
        let deadline = active.heard + PATIENCE;
        match tokio::time::timeout_at(deadline.into(), active.subscriber.next()).await {
            Ok(Ok(bytes)) => {
                active.heard = Instant::now();
                if std::mem::replace(&mut active.given, true) {
                    return Turn::Goes(bytes);
                }
                Turn::Begins(active.name.clone(), bytes)
            }
            Ok(Err(End::NewRun)) => {
                let joined = active.feed.channel.join(Join { header: true, start: Start::Last });
                active.subscriber = Subscriber::new(joined, true);
                active.given = false;
                Turn::Changes
            }
            Ok(Err(End::Closed)) | Err(_) => {
                self.active = None;
                Turn::Changes
            }
        }
    }
}

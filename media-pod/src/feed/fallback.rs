//! Other feeds that take over while a feed gives nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use millrace_bus::{End, Subscriber};

use super::Feed;
use crate::{
    hold::Hold,
    shop::Shop,
    state::{Condition, State},
    stream::start_together,
};

/// A fallback that gives nothing for this long is passed over for the next one.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same for its first bytes: what is pulled over a network takes its time to begin.
const FIRST_PATIENCE: Duration = Duration::from_secs(10);
/// One that ended so often without giving a byte is passed over at once.
const HOPELESS: u32 = 3;
/// Between one round over all of them and the next.
const ROUND: Duration = Duration::from_millis(500);

/// The fallback that is being tried, or gives the bytes.
pub struct Fallback {
    list: Vec<String>,
    next: usize,
    active: Option<Active>,
}

struct Active {
    feed: Arc<Feed>,
    name: String,
    /// None until there is a place to begin at.
    subscriber: Option<Box<Subscriber>>,
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
            let heard = Instant::now();
            self.active = Some(Active { feed, name, subscriber: None, heard, given: false, _hold: hold });
            return Turn::Changes;
        };
        let deadline = active.heard + if active.given { PATIENCE } else { FIRST_PATIENCE };
        let mut condition = active.feed.conditions.watch();
        let begun = async {
            match &mut active.subscriber {
                Some(subscriber) => Next::Bytes(subscriber.next().await),
                None => Next::Begun(
                    start_together(std::slice::from_ref(&active.feed.channel)).await.pop().map(Box::new),
                ),
            }
        };
        let next = tokio::select! {
            biased;
            next = begun => Some(next),
            () = tokio::time::sleep_until(deadline.into()) => None,
            _ = condition.wait_for(hopeless), if !active.given => None,
        };
        match next {
            Some(Next::Begun(subscriber)) => {
                active.subscriber = subscriber;
                Turn::Changes
            }
            Some(Next::Bytes(Ok(bytes))) => {
                active.heard = Instant::now();
                if std::mem::replace(&mut active.given, true) {
                    return Turn::Goes(bytes);
                }
                Turn::Begins(active.name.clone(), bytes)
            }
            Some(Next::Bytes(Err(End::NewRun))) => {
                (active.subscriber, active.given) = (None, false);
                Turn::Changes
            }
            Some(Next::Bytes(Err(End::Closed))) | None => {
                self.active = None;
                if self.next.is_multiple_of(self.list.len().max(1)) {
                    // None of them: not to be asked again and again at full speed.
                    tokio::time::sleep(ROUND).await;
                }
                Turn::Changes
            }
        }
    }
}

enum Next {
    Begun(Option<Box<Subscriber>>),
    Bytes(Result<Bytes, End>),
}

fn hopeless(condition: &Condition) -> bool {
    condition.state == State::Failed || (condition.state == State::Backoff && condition.failures >= HOPELESS)
}

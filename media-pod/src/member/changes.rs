//! Says when there may be something new to tell.

use std::time::Duration;

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::watch,
    time::{self, Instant},
};

use super::Part;
use crate::{
    pod::Pod,
    state::{Condition, Conditions},
};

/// Between two times, however much happens.
const AT_LEAST: Duration = Duration::from_millis(50);

type Pending<T> = FuturesUnordered<BoxFuture<'static, Option<watch::Receiver<T>>>>;

/// See the module.
pub(super) struct Changes {
    configuration: watch::Receiver<()>,
    interval: watch::Receiver<Duration>,
    conditions: Pending<Condition>,
    /// Whatever else is to be told at once.
    counts: Pending<u64>,
    draining: watch::Receiver<bool>,
    /// How much of an interval may pass before it is looked anyway.
    share: f64,
    /// Feeds and streams are others than those that are watched.
    anew: bool,
    last: Instant,
}

impl Changes {
    /// Of the configuration, of all feeds and streams, and of what `part` says.
    pub(super) fn new(
        configuration: watch::Receiver<()>,
        interval: watch::Receiver<Duration>,
        draining: watch::Receiver<bool>,
        part: &Part,
    ) -> Self {
        Self {
            configuration,
            interval,
            conditions: FuturesUnordered::new(),
            counts: part.changed().into_iter().map(changed).collect(),
            draining,
            // What a balancer says of its links ages: a beat says what was looked at for it.
            share: if part.balancer.is_some() { 0.75 } else { 1.0 },
            anew: true,
            last: Instant::now(),
        }
    }

    /// Watches the feeds and streams of `pod`, whichever they are by now.
    pub(super) fn watch(&mut self, pod: &Pod) {
        if !std::mem::take(&mut self.anew) {
            return;
        }
        self.conditions.clear();
        let (feeds, streams) = (pod.shop().feeds.load(), pod.shop().streams.load());
        let feeds = feeds.values().map(|feed| feed.conditions.watch());
        let streams = streams.values().map(|stream| Conditions::watch(&stream.doing()));
        for receiver in feeds.chain(streams) {
            self.conditions.push(changed(receiver));
        }
    }

    /// Until there may be something new; at the latest after an interval.
    pub(super) async fn next(&mut self) {
        time::sleep_until(self.last + AT_LEAST).await;
        let due = self.last + self.interval.borrow().mul_f64(self.share).max(AT_LEAST);
        tokio::select! {
            _ = self.configuration.changed() => self.anew = true,
            Some(receiver) = self.conditions.next(), if !self.conditions.is_empty() => {
                self.conditions.extend(receiver.map(changed));
            }
            Some(receiver) = self.counts.next(), if !self.counts.is_empty() => {
                self.counts.extend(receiver.map(changed));
            }
            Ok(()) = self.draining.changed() => {}
            () = time::sleep_until(due) => {}
        }
        self.last = Instant::now();
    }
}

/// Until it has changed; nothing where it is no more.
fn changed<T: Send + Sync + 'static>(
    mut receiver: watch::Receiver<T>,
) -> BoxFuture<'static, Option<watch::Receiver<T>>> {
    Box::pin(async move {
        receiver.changed().await.ok()?;
        receiver.mark_unchanged();
        Some(receiver)
    })
}

//! The task that looks after a feed: starts it when it is needed, again when it ends, ends it when it is not.

use std::{
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use millrace_bus::Channel;
use tokio::{sync::watch, time};

use super::{
    Activation, FeedSpec, Order, Point, Source,
    fallback::{Fallback, Turn},
    primary::{Channels, Event, Primary},
};
use crate::{
    hold::Demand,
    inlet::{Inlet, News},
    retry::{Retry, Say},
    shop::Shop,
    state::{Conditions, LastExit, State},
};

/// See the module.
pub struct Keeper {
    pub channel: Arc<Channel>,
    pub demand: Demand,
    pub conditions: Conditions,
    pub point: Point,
    pub orders: watch::Receiver<Order>,
    pub shop: Arc<Shop>,
}

/// Why a feed stopped running.
enum Stop {
    /// Nobody needs it.
    Unwanted,
    /// It has another source now.
    Changed,
    /// It ended, and must not be started again.
    Dead,
}

impl Keeper {
    /// Runs until it is aborted.
    pub async fn keep(mut self) {
        let inlet = Inlet::new(&self.channels(), self.spec().container);
        // Over all activations: who asks again and again for what fails must not fill the log.
        let mut retry = Retry::default();
        loop {
            self.conditions.set(State::Idle);
            self.until_wanted(&inlet).await;
            let stop = self.active(&inlet, &mut retry).await;
            inlet.rest();
            self.conditions.edit(|c| (c.pid, c.fallback) = (None, None));
            if matches!(stop, Stop::Changed) {
                retry = Retry::default();
            }
            if matches!(stop, Stop::Dead) {
                self.conditions.set(State::Failed);
                self.close_failed();
                self.until_changed_or_wanted_anew(&inlet).await;
            }
        }
    }

    fn spec(&self) -> Arc<FeedSpec> {
        self.orders.borrow().spec.clone()
    }

    fn channels(&self) -> Vec<Arc<Channel>> {
        let order = self.orders.borrow();
        std::iter::once(self.channel.clone()).chain(order.tees.iter().cloned()).collect()
    }

    /// Takes in the newest order: the feed as it is to be now.
    fn take_order(&mut self, inlet: &Inlet) -> Arc<FeedSpec> {
        let spec = self.orders.borrow_and_update().spec.clone();
        inlet.carry_on(&self.channels(), spec.container);
        spec
    }

    async fn until_wanted(&mut self, inlet: &Inlet) {
        loop {
            if self.take_order(inlet).activation == Activation::Continuous {
                return;
            }
            let demand = self.demand.clone();
            tokio::select! {
                () = demand.wanted() => return,
                changed = self.orders.changed() => {
                    if changed.is_err() { return future::pending().await }
                }
            }
        }
    }

    async fn until_changed_or_wanted_anew(&mut self, inlet: &Inlet) {
        let (demand, spec) = (self.demand.clone(), self.spec());
        let anew = async {
            if spec.activation == Activation::Continuous {
                future::pending::<()>().await;
            }
            demand.unwanted(Duration::ZERO).await;
        };
        tokio::pin!(anew);
        loop {
            tokio::select! {
                () = &mut anew => return,
                changed = self.orders.changed() => {
                    if changed.is_err() { return future::pending().await }
                    if *self.take_order(inlet) != *spec { return }
                }
            }
        }
    }

    /// Those who wait for a feed that will not come back are told so by the state; those who watch are let go.
    fn close_failed(&self) {
        for channel in self.channels() {
            channel.dismiss();
        }
    }

    /// From the first start until it is not needed, is another feed, or is dead.
    async fn active(&mut self, inlet: &Inlet, retry: &mut Retry) -> Stop {
        let mut spec = self.spec();
        let mut primary = Primary::new(inlet.clone(), self.point.clone());
        let mut fallback = Fallback::new(&spec.fallback);
        let mut runs: u64 = 0;
        // Held while the feed is needed: see `Run::anchor`.
        let mut _anchor = None;
        self.conditions.set(State::Starting);
        let unwanted = unwanted(self.demand.clone(), spec.activation);
        tokio::pin!(unwanted);
        let mut channels = Channels { all: self.channels(), room: inlet.room() };
        loop {
            let on_fallback = fallback.exists() && primary.quiet();
            let (running, audible) = (primary.running(), primary.must_not_be_silent());
            let silent = silent(inlet, spec.silence);
            let event = tokio::select! {
                () = &mut unwanted => {
                    primary.end().await;
                    return Stop::Unwanted;
                }
                changed = self.orders.changed() => {
                    if changed.is_err() { return Stop::Unwanted }
                    let next = self.take_order(inlet);
                    if !spec.runs_alike(&next) {
                        primary.end().await;
                        return Stop::Changed;
                    }
                    channels = Channels { all: self.channels(), room: inlet.room() };
                    primary.publishes_on(&channels.all);
                    if *next != *spec {
                        unwanted.set(self::unwanted(self.demand.clone(), next.activation));
                        if next.fallback != spec.fallback {
                            fallback = Fallback::new(&next.fallback);
                        }
                        if next.resurrect {
                            primary.resurrect();
                        }
                        spec = next;
                    }
                    continue;
                }
                event = primary.next(&spec, &self.shop, &channels) => event,
                turn = fallback.next(&self.shop), if on_fallback => {
                    self.take_fallback(turn, inlet);
                    continue;
                }
                () = inlet.gap(), if running => Event::Gap,
                () = silent, if audible => Event::Silent,
            };
            match event {
                Event::Started(pid) => {
                    if runs > 0 {
                        self.conditions.edit(|c| c.restarts += 1);
                    }
                    runs += 1;
                    _anchor = primary.anchor();
                    self.conditions.edit(|c| c.pid = pid);
                    if !inlet.displaced() {
                        self.conditions.set(self.begun(&spec));
                    }
                }
                Event::News(News::Flows { first }) => {
                    if first {
                        fallback.stand_down();
                        self.conditions.edit(|c| (c.fallback, c.failures) = (None, 0));
                    }
                    self.conditions.set(State::Running);
                }
                Event::News(News::CutOff) => primary.kill("gave something again, but not from its beginning"),
                Event::News(News::Ended(_)) => {}
                Event::Gap => {
                    if inlet.gave() {
                        self.conditions.set(State::Silent);
                    }
                }
                Event::Silent => {
                    self.conditions.set(State::Silent);
                    primary.kill(&format!("gave nothing for {} s", spec.silence.as_secs_f64()));
                }
                Event::Ended(exit, ran) => {
                    let gave = inlet.end_run();
                    let waits = matches!(spec.source, Source::Publish { .. });
                    let delay = if waits {
                        // Publishers come and go, which was said of each.
                        self.conditions.edit(|c| c.last_exit = Some(exit));
                        Duration::ZERO
                    } else {
                        self.note_end(&spec.name, exit, retry, ran, gave)
                    };
                    if !spec.resurrect && !fallback.exists() {
                        return Stop::Dead;
                    }
                    self.conditions.set(if waits { State::Silent } else { State::Backoff });
                    primary.again(spec.resurrect.then_some(delay));
                }
            }
        }
    }

    /// The state of a run that gave nothing yet: of who waits for a publisher nothing more will come of itself.
    fn begun(&self, spec: &FeedSpec) -> State {
        let waits = matches!(spec.source, Source::Publish { .. }) && self.point.publisher().is_none();
        if waits { State::Silent } else { State::Starting }
    }

    /// A run ended: what is to be known of it. How long to wait for the next one.
    fn note_end(&self, name: &str, exit: LastExit, retry: &mut Retry, ran: Duration, gave: bool) -> Duration {
        let (delay, say) = retry.ended(Instant::now(), ran, gave);
        report(name, &exit, say, retry.barren());
        self.conditions.edit(|c| {
            (c.pid, c.failures) = (None, retry.barren());
            c.last_exit = Some(exit);
        });
        delay
    }

    fn take_fallback(&self, turn: Turn, inlet: &Inlet) {
        match turn {
            Turn::Begins(name, bytes) => {
                if inlet.take_other(&bytes, true) {
                    self.conditions.edit(|c| c.fallback = Some(name));
                }
            }
            Turn::Goes(bytes) => {
                inlet.take_other(&bytes, false);
            }
            Turn::Changes => {}
        }
    }
}

async fn unwanted(demand: Demand, activation: Activation) {
    match activation {
        Activation::OnDemand(linger) => demand.unwanted(linger).await,
        Activation::Continuous => future::pending().await,
    }
}

/// Until nothing came in for `silence`; never, where that is zero.
async fn silent(inlet: &Inlet, silence: Duration) {
    if silence.is_zero() {
        future::pending::<()>().await;
    }
    loop {
        let due = inlet.heard() + silence;
        if due <= Instant::now() {
            return;
        }
        time::sleep_until(due.into()).await;
    }
}

/// Says how a feed or stream ended, as much of it as is news.
pub fn report(name: &str, exit: &LastExit, say: Say, failures: u32) {
    match say {
        Say::All => {
            tracing::warn!(name, reason = %exit.reason, stderr = ?exit.stderr.last().map(String::as_str).unwrap_or_default(), "ended");
            for line in exit.stderr.iter().rev().take(8).rev() {
                tracing::info!(name, "stderr: {line}");
            }
        }
        Say::Count(times) => {
            tracing::warn!(name, reason = %exit.reason, times, "keeps ending; repeated ends are not logged one by one");
        }
        Say::Nothing => tracing::debug!(name, reason = %exit.reason, failures, "ended"),
    }
}

//! The task that looks after a feed: starts it when it is needed, again when it ends, ends it when it is not.

use std::{
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use millrace_bus::Channel;
use tokio::sync::watch;

use super::{
    Activation, FeedSpec, Order,
    fallback::{Fallback, Turn},
    primary::{Event, Primary},
    watchdog::Watchdog,
};
use crate::{
    hold::Demand,
    intake::Intake,
    retry::{Retry, Say},
    shop::Shop,
    state::{Conditions, LastExit, State},
};

/// See the module.
pub struct Keeper {
    pub channel: Arc<Channel>,
    pub demand: Demand,
    pub conditions: Conditions,
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
        let mut intake = Intake::new(&self.channels(), self.spec().container);
        // Over all activations: who asks again and again for what fails must not fill the log.
        let mut retry = Retry::default();
        loop {
            self.conditions.set(State::Idle);
            self.until_wanted(&mut intake).await;
            let stop = self.active(&mut intake, &mut retry).await;
            intake.end();
            self.conditions.edit(|c| (c.pid, c.fallback) = (None, None));
            if matches!(stop, Stop::Changed) {
                retry = Retry::default();
            }
            if matches!(stop, Stop::Dead) {
                self.conditions.set(State::Failed);
                self.close_failed();
                self.until_changed_or_wanted_anew(&mut intake).await;
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
    fn take_order(&mut self, intake: &mut Intake) -> Arc<FeedSpec> {
        let spec = self.orders.borrow_and_update().spec.clone();
        intake.carry_on(&self.channels(), spec.container);
        spec
    }

    async fn until_wanted(&mut self, intake: &mut Intake) {
        loop {
            if self.take_order(intake).activation == Activation::Continuous {
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

    async fn until_changed_or_wanted_anew(&mut self, intake: &mut Intake) {
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
                    if *self.take_order(intake) != *spec { return }
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
    async fn active(&mut self, intake: &mut Intake, retry: &mut Retry) -> Stop {
        let mut spec = self.spec();
        let mut primary = Primary::after(Duration::ZERO);
        let mut fallback = Fallback::new(&spec.fallback);
        let mut runs: u64 = 0;
        self.conditions.set(State::Starting);
        let unwanted = unwanted(self.demand.clone(), spec.activation);
        tokio::pin!(unwanted);
        let mut watchdog = Watchdog::new(spec.silence);
        let mut room = intake.room();
        loop {
            let on_fallback = primary.quiet(&watchdog) && fallback.exists();
            let event = tokio::select! {
                // A feed in full flow must not starve the rest: the order is left to chance.
                () = &mut unwanted => {
                    primary.end().await;
                    return Stop::Unwanted;
                }
                changed = self.orders.changed() => {
                    if changed.is_err() { return Stop::Unwanted }
                    let next = self.take_order(intake);
                    if !spec.runs_alike(&next) {
                        primary.end().await;
                        return Stop::Changed;
                    }
                    room = intake.room();
                    if *next != *spec {
                        unwanted.set(self::unwanted(self.demand.clone(), next.activation));
                        watchdog.silence = next.silence;
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
                event = primary.next(&spec, &self.shop, &room) => event,
                turn = fallback.next(&self.shop), if on_fallback => {
                    self.take_fallback(turn, &mut primary, intake);
                    continue;
                }
                () = watchdog.gap(), if primary.running() => Event::Gap,
                () = watchdog.silent(), if primary.must_not_be_silent() => Event::Silent,
            };
            match event {
                Event::Started(pid) => {
                    if runs > 0 {
                        self.conditions.edit(|c| c.restarts += 1);
                    }
                    runs += 1;
                    watchdog.began();
                    self.conditions.edit(|c| c.pid = pid);
                    if !primary.displaced {
                        self.conditions.set(State::Starting);
                    }
                }
                Event::Bytes(bytes) => {
                    watchdog.heard();
                    if primary.cut_off() {
                        primary.kill("gave something again, but not from its beginning");
                        continue;
                    }
                    if primary.first_bytes() {
                        fallback.stand_down();
                        intake.begin();
                        self.conditions.edit(|c| (c.fallback, c.failures) = (None, 0));
                    }
                    intake.push(&bytes);
                    self.conditions.set(State::Running);
                }
                Event::Gap => {
                    watchdog.gap_seen();
                    if primary.gave {
                        self.conditions.set(State::Silent);
                    }
                }
                Event::Silent => {
                    self.conditions.set(State::Silent);
                    primary.kill(&format!("gave nothing for {} s", spec.silence.as_secs_f64()));
                }
                Event::Ended(exit, ran) => {
                    watchdog.tried = true;
                    let gave = primary.gave;
                    if gave && !primary.displaced {
                        intake.end();
                    }
                    let delay = self.note_end(&spec.name, exit, retry, ran, gave);
                    if !spec.resurrect && !fallback.exists() {
                        return Stop::Dead;
                    }
                    self.conditions.set(State::Backoff);
                    let displaced = primary.displaced;
                    primary = if spec.resurrect { Primary::after(delay) } else { Primary::over() };
                    primary.displaced = displaced;
                }
            }
        }
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

    fn take_fallback(&self, turn: Turn, primary: &mut Primary, intake: &mut Intake) {
        match turn {
            Turn::Begins(name, bytes) => {
                primary.displace(intake);
                intake.begin();
                intake.push(&bytes);
                self.conditions.edit(|c| c.fallback = Some(name));
            }
            Turn::Goes(bytes) => intake.push(&bytes),
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

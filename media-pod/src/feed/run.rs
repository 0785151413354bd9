//! The task that looks after a feed: starts it when it is needed, again when it ends, ends it when it is not.

use std::{
    collections::VecDeque,
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use millrace_bus::Channel;
use tokio::{sync::watch, task::JoinHandle, time};

use super::{
    Activation, FeedSpec, Order, Run,
    fallback::{Fallback, Turn},
};
use crate::{
    hold::Demand,
    intake::{Intake, Room},
    retry::{Retry, Say},
    shop::Shop,
    state::{Conditions, LastExit, State},
};

/// How far an unpaced file may run ahead of who reads it, in bytes.
const WINDOW: u64 = 1 << 20;
/// Without bytes for this long (or three times its longest pause so far) a feed's fallback takes over.
const GAP: Duration = Duration::from_secs(1);

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
        loop {
            self.conditions.set(State::Idle);
            self.until_wanted(&mut intake).await;
            let stop = self.active(&mut intake).await;
            intake.end();
            self.conditions.edit(|c| (c.pid, c.fallback) = (None, None));
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

    /// Takes in the newest order. True: the feed itself is another one.
    fn take_order(&mut self, intake: &mut Intake, had: &FeedSpec) -> bool {
        let spec = self.orders.borrow_and_update().spec.clone();
        intake.carry_on(&self.channels(), spec.container);
        *spec != *had
    }

    async fn until_wanted(&mut self, intake: &mut Intake) {
        loop {
            let spec = self.spec();
            if spec.activation == Activation::Continuous {
                self.take_order(intake, &spec);
                return;
            }
            let demand = self.demand.clone();
            tokio::select! {
                () = demand.wanted() => return,
                changed = self.orders.changed() => {
                    if changed.is_err() { return future::pending().await }
                    self.take_order(intake, &spec);
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
                    if self.take_order(intake, &spec) { return }
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
    async fn active(&mut self, intake: &mut Intake) -> Stop {
        let spec = self.spec();
        let mut retry = Retry::default();
        let mut primary = Primary::after(Duration::ZERO);
        let mut fallback = Fallback::new(&spec.fallback);
        let mut runs: u64 = 0;
        self.conditions.set(State::Starting);
        let linger = match spec.activation {
            Activation::OnDemand(linger) => Some(linger),
            Activation::Continuous => None,
        };
        let demand = self.demand.clone();
        let unwanted = async {
            match linger {
                Some(linger) => demand.unwanted(linger).await,
                None => future::pending().await,
            }
        };
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
                    if self.take_order(intake, &spec) {
                        primary.end().await;
                        return Stop::Changed;
                    }
                    room = intake.room();
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
                    tracing::warn!(feed = %spec.name, seconds = spec.silence.as_secs_f64(), "alive but silent: ended");
                    self.conditions.set(State::Silent);
                    primary.kill_silent(spec.silence);
                }
                Event::Ended(exit, ran) => {
                    watchdog.tried = true;
                    let gave = primary.gave;
                    if gave && !primary.displaced {
                        intake.end();
                    }
                    let (delay, say) = retry.ended(ran, gave);
                    report(&spec.name, &exit, say, retry.failures());
                    let at_rest = spec.resurrect;
                    self.conditions.edit(|c| {
                        (c.pid, c.failures) = (None, retry.failures());
                        c.last_exit = Some(exit);
                    });
                    if !at_rest && !fallback.exists() {
                        return Stop::Dead;
                    }
                    self.conditions.set(State::Backoff);
                    primary = if at_rest { Primary::after(delay) } else { Primary::over() };
                }
            }
        }
    }

    fn take_fallback(&self, turn: Turn, primary: &mut Primary, intake: &mut Intake) {
        match turn {
            Turn::Begins(name, bytes) => {
                primary.displaced = true;
                intake.begin();
                intake.push(&bytes);
                self.conditions.edit(|c| c.fallback = Some(name));
            }
            Turn::Goes(bytes) => intake.push(&bytes),
            Turn::Changes => {}
        }
    }
}

/// The feed's own source, over all its runs.
struct Primary {
    at: At,
    /// The run gave bytes.
    gave: bool,
    /// A fallback has published since the last bytes.
    displaced: bool,
    ending: Option<Duration>,
}

enum At {
    Waiting(Instant),
    Starting(JoinHandle<Result<Run, LastExit>>, Instant),
    Running(Box<Run>),
    /// Not to be started again.
    Over,
}

enum Event {
    Started(Option<u32>),
    Bytes(Bytes),
    Ended(LastExit, Duration),
    Gap,
    Silent,
}

impl Primary {
    fn after(delay: Duration) -> Self {
        Self { at: At::Waiting(Instant::now() + delay), gave: false, displaced: false, ending: None }
    }

    fn over() -> Self {
        Self { at: At::Over, gave: false, displaced: false, ending: None }
    }

    fn running(&self) -> bool {
        matches!(self.at, At::Running(_))
    }

    fn must_not_be_silent(&self) -> bool {
        self.ending.is_none() && matches!(&self.at, At::Running(run) if run.must_not_be_silent())
    }

    /// Whether it is time for a fallback.
    fn quiet(&self, watchdog: &Watchdog) -> bool {
        match &self.at {
            At::Running(_) => watchdog.in_gap,
            At::Starting(..) | At::Waiting(_) => self.displaced || self.ending.is_some() || watchdog.tried,
            At::Over => true,
        }
    }

    /// True once per run, and again when a fallback had the word in between.
    fn first_bytes(&mut self) -> bool {
        let first = !self.gave || self.displaced;
        (self.gave, self.displaced) = (true, false);
        first
    }

    fn kill_silent(&mut self, after: Duration) {
        self.ending = Some(after);
    }

    async fn end(self) {
        if let At::Running(run) = self.at {
            run.end().await;
        }
    }

    /// Cancel safe.
    async fn next(&mut self, spec: &Arc<FeedSpec>, shop: &Arc<Shop>, room: &Room) -> Event {
        if let (Some(after), At::Running(_)) = (self.ending, &self.at) {
            return self.ended(Some(after)).await;
        }
        loop {
            match &mut self.at {
                At::Over => return future::pending().await,
                At::Waiting(until) => {
                    time::sleep_until((*until).into()).await;
                    let (spec, shop) = (spec.clone(), shop.clone());
                    let began = Instant::now();
                    let start = tokio::spawn(async move { Run::start(&spec, &shop.agent).await });
                    self.at = At::Starting(start, began);
                }
                At::Starting(start, began) => {
                    let began = *began;
                    match start.await.unwrap_or_else(|e| Err(LastExit::of(&e))) {
                        Ok(run) => {
                            let pid = run.pid();
                            self.at = At::Running(Box::new(run));
                            return Event::Started(pid);
                        }
                        Err(exit) => {
                            self.at = At::Over;
                            return Event::Ended(exit, began.elapsed());
                        }
                    }
                }
                At::Running(run) => {
                    while run.unpaced() && room.left(WINDOW) != Some(true) {
                        // Before the first bytes nobody can have read any.
                        if !self.gave && room.left(WINDOW).is_none() {
                            break;
                        }
                        time::sleep(Duration::from_millis(2)).await;
                    }
                    return match run.read().await {
                        Ok(bytes) if !bytes.is_empty() => Event::Bytes(bytes),
                        Ok(_) => self.ended(None).await,
                        Err(e) => {
                            let ran = run.began().elapsed();
                            self.at = At::Over;
                            Event::Ended(LastExit::of(&e), ran)
                        }
                    };
                }
            }
        }
    }

    async fn ended(&mut self, silent: Option<Duration>) -> Event {
        // From here on it must not be cancelled half-way: what is left of the run is moved out first.
        let At::Running(run) = std::mem::replace(&mut self.at, At::Over) else {
            return Event::Ended(LastExit::of(&"ended"), Duration::ZERO);
        };
        let ran = run.began().elapsed();
        let began = Instant::now();
        let ended = tokio::spawn(async move {
            let mut exit = run.end().await;
            if let Some(after) = silent {
                exit.reason = format!("gave nothing for {} s, and was ended", after.as_secs_f64());
            }
            Err(exit)
        });
        self.at = At::Starting(ended, began.checked_sub(ran).unwrap_or(began));
        let At::Starting(ended, began) = &mut self.at else { return future::pending().await };
        let began = *began;
        let exit = match ended.await {
            Ok(Err(exit)) => exit,
            Ok(Ok(_)) => LastExit::of(&"ended"),
            Err(e) => LastExit::of(&e),
        };
        self.at = At::Over;
        Event::Ended(exit, began.elapsed())
    }
}

/// Notices a source that is alive and gives nothing.
struct Watchdog {
    silence: Duration,
    heard: Instant,
    longest_pause: Duration,
    in_gap: bool,
    recent: VecDeque<Duration>,
    /// The source was started, or could not be, at least once.
    tried: bool,
}

impl Watchdog {
    fn new(silence: Duration) -> Self {
        Self {
            silence,
            heard: Instant::now(),
            longest_pause: Duration::ZERO,
            in_gap: false,
            recent: VecDeque::new(),
            tried: false,
        }
    }

    fn began(&mut self) {
        self.heard = Instant::now();
        self.tried = true;
    }

    fn heard(&mut self) {
        let now = Instant::now();
        let pause = now - self.heard;
        if !self.in_gap && pause > Duration::from_millis(20) {
            if self.recent.len() == 32 {
                self.recent.pop_front();
            }
            self.recent.push_back(pause);
            self.longest_pause = self.recent.iter().max().copied().unwrap_or_default();
        }
        (self.heard, self.in_gap) = (now, false);
    }

    fn gap_seen(&mut self) {
        self.in_gap = true;
    }

    async fn gap(&self) {
        if self.in_gap {
            future::pending::<()>().await;
        }
        time::sleep_until((self.heard + GAP.max(self.longest_pause * 3)).into()).await;
    }

    async fn silent(&self) {
        if self.silence.is_zero() {
            future::pending::<()>().await;
        }
        time::sleep_until((self.heard + self.silence).into()).await;
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
            tracing::warn!(name, reason = %exit.reason, times, "keeps failing; repeated failures are not logged one by one");
        }
        Say::Nothing => tracing::debug!(name, reason = %exit.reason, failures, "ended"),
    }
}

//! The task that looks after a stream's command.

use std::{
    future,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use millrace_bus::Channel;
use millrace_exec::Process;
use tokio::{net::unix::pipe, sync::watch, time};

use super::{
    StreamSpec,
    inputs::{Fed, Inputs},
    start_together,
};
use crate::{
    buffer::ReadBuffer,
    feed::Feed,
    feed::report,
    hold::Demand,
    intake::Intake,
    retry::Retry,
    shop::Shop,
    state::{Conditions, LastExit, State},
};

/// See the module.
pub struct Keeper {
    pub channel: Arc<Channel>,
    pub demand: Demand,
    pub conditions: Conditions,
    pub specs: watch::Receiver<Arc<StreamSpec>>,
    pub shop: Arc<Shop>,
}

struct Command {
    process: Process,
    stdout: pipe::Receiver,
    buffer: ReadBuffer,
    _inputs: Inputs,
    fed: Fed,
    began: Instant,
}

impl Keeper {
    /// Runs until it is aborted.
    pub async fn keep(mut self) {
        let expected = self.specs.borrow().container;
        let mut intake = Intake::new(std::slice::from_ref(&self.channel), expected);
        let mut ran: Option<Arc<StreamSpec>> = None;
        // Over all activations: who asks again and again for what fails must not fill the log.
        let mut retry = Retry::default();
        loop {
            self.conditions.set(State::Idle);
            self.demand.wanted().await;
            let spec = self.specs.borrow_and_update().clone();
            intake.carry_on(std::slice::from_ref(&self.channel), spec.container);
            if ran.as_ref().is_some_and(|ran| !ran.runs_alike(&spec)) {
                retry = Retry::default();
            }
            self.active(&spec, &mut intake, &mut retry).await;
            ran = Some(spec);
            intake.end();
            self.conditions.edit(|c| c.pid = None);
        }
    }

    /// From the first start until nobody needs it, or it is to be another one.
    async fn active(&mut self, spec: &Arc<StreamSpec>, intake: &mut Intake, retry: &mut Retry) {
        let feeds: Vec<_> = spec.feeds.iter().filter_map(|name| self.shop.feed(name)).collect();
        let _holds: Vec<_> = feeds.iter().map(|feed| feed.demand.hold()).collect();
        let channels: Vec<_> = feeds.iter().map(|feed| feed.channel.clone()).collect();
        let demand = self.demand.clone();
        let mut specs = self.specs.clone();
        let over = async {
            let another = async {
                loop {
                    if specs.changed().await.is_err() {
                        future::pending::<()>().await;
                    }
                    if !specs.borrow_and_update().runs_alike(spec) {
                        return;
                    }
                }
            };
            tokio::select! {
                () = demand.unwanted(Duration::ZERO) => {}
                () = another => {}
            }
        };
        tokio::pin!(over);
        let mut started = false;
        loop {
            if let Some((feed, exit)) = feeds.iter().find_map(dead) {
                self.conditions.edit(|c| {
                    c.last_exit = Some(LastExit { reason: format!("feed {feed}: {}", exit.reason), ..exit });
                });
                return self.fail(over).await;
            }
            self.conditions.set(State::Starting);
            let began = Instant::now();
            let start = start(spec, &channels, &self.shop);
            let command = tokio::select! {
                () = &mut over => return,
                command = start => command,
            };
            let (exit, ran, gave) = match command {
                Ok(mut command) => {
                    let pid = command.process.pid();
                    self.conditions.edit(|c| {
                        c.pid = Some(pid);
                        c.restarts += u64::from(started);
                    });
                    started = true;
                    let mut gave = false;
                    let silent = tokio::select! {
                        () = &mut over => None,
                        silent = self.pump(&mut command, spec, intake, &mut gave) => Some(silent),
                    };
                    if gave {
                        intake.end();
                    }
                    let ran = command.began.elapsed();
                    let exit = end(command, silent.flatten()).await;
                    if silent.is_none() {
                        return;
                    }
                    (exit, ran, gave)
                }
                Err(exit) => (exit, began.elapsed(), false),
            };
            let (delay, say) = retry.ended(Instant::now(), ran, gave);
            report(&spec.name, &exit, say, retry.barren());
            self.conditions.edit(|c| {
                (c.pid, c.failures) = (None, retry.barren());
                c.last_exit = Some(exit);
            });
            if !spec.resurrect {
                return self.fail(over).await;
            }
            self.conditions.set(State::Backoff);
            tokio::select! {
                () = &mut over => return,
                () = time::sleep(delay) => {}
            }
        }
    }

    /// Nothing will come any more: who watches is let go, until nobody does, or it is to be another one.
    async fn fail(&self, over: impl Future<Output = ()>) {
        self.conditions.set(State::Failed);
        self.channel.dismiss();
        over.await;
    }

    /// Publishes what the command gives until its end. Some: it was fed and silent for so long.
    async fn pump(
        &self,
        command: &mut Command,
        spec: &StreamSpec,
        intake: &mut Intake,
        gave: &mut bool,
    ) -> Option<Duration> {
        // Where there is nothing to feed it with, it has to give something by itself.
        let of_itself = spec.feeds.is_empty();
        let mut watch = Silence { allowed: spec.silence, heard: Instant::now(), fed_then: 0, of_itself };
        loop {
            let bytes = tokio::select! {
                bytes = command.buffer.read(&command.stdout) => bytes.unwrap_or_default(),
                () = watch.broken(&command.fed) => return Some(spec.silence),
            };
            if bytes.is_empty() {
                return None;
            }
            self.publish(&bytes, intake, gave);
            (watch.heard, watch.fed_then) = (Instant::now(), command.fed.load(Ordering::Relaxed));
        }
    }

    fn publish(&self, bytes: &Bytes, intake: &mut Intake, gave: &mut bool) {
        if !std::mem::replace(gave, true) {
            intake.begin();
            self.conditions.edit(|c| c.failures = 0);
        }
        intake.push(bytes);
        self.conditions.set(State::Running);
    }
}

struct Silence {
    allowed: Duration,
    heard: Instant,
    fed_then: u64,
    of_itself: bool,
}

/// The feed's name and how it ended, if it will not come back by itself.
fn dead(feed: &Arc<Feed>) -> Option<(String, LastExit)> {
    let condition = feed.conditions.get();
    let exit = condition.last_exit.filter(|_| condition.state == State::Failed)?;
    Some((feed.spec().name.clone(), exit))
}

impl Silence {
    /// Until it was silent for too long, and was given something to work on at the beginning of that time.
    async fn broken(&self, fed: &Fed) {
        if self.allowed.is_zero() {
            future::pending::<()>().await;
        }
        time::sleep_until((self.heard + self.allowed).into()).await;
        while !self.of_itself && fed.load(Ordering::Relaxed) == self.fed_then {
            time::sleep(self.allowed / 10).await;
        }
    }
}

async fn start(spec: &StreamSpec, channels: &[Arc<Channel>], shop: &Shop) -> Result<Command, LastExit> {
    let Some(command) = &spec.command else { return Err(LastExit::of(&"there is no command")) };
    let subscribers = start_together(channels).await;
    let began = Instant::now();
    let mut process = shop.agent.start((**command).clone()).await.map_err(|e| LastExit::of(&e))?;
    let Some(stdout) = process.stdout.take() else {
        return Err(LastExit::of(&"the command was started without an output"));
    };
    let pipes: Vec<_> = process.stdin.take().into_iter().chain(std::mem::take(&mut process.inputs)).collect();
    let fed = Fed::default();
    let inputs = Inputs::start(subscribers, pipes, &fed);
    Ok(Command { process, stdout, buffer: ReadBuffer::default(), _inputs: inputs, fed, began })
}

async fn end(command: Command, silent: Option<Duration>) -> LastExit {
    let Command { mut process, stdout, _inputs: inputs, .. } = command;
    // Its input ends first: what it still has it may write, to nobody.
    drop(inputs);
    drop(stdout);
    process.stop();
    let mut exit: LastExit = process.wait().await.into();
    if let Some(after) = silent {
        exit.reason = format!("gave nothing for {} s, and was ended", after.as_secs_f64());
    }
    exit
}

//! The task that looks after a stream's command.

use std::{
    future,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use millrace_bus::{Channel, egress::Pumping};
use millrace_exec::Process;
use tokio::{net::unix::pipe, sync::watch, time};

use super::{
    StreamSpec,
    inputs::{Fed, Inputs},
    start_together,
};
use crate::{
    feed::Feed,
    feed::report,
    hold::Demand,
    inlet::{Inlet, News},
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
    _pumping: Pumping,
    _inputs: Inputs,
    fed: Fed,
    began: Instant,
}

impl Keeper {
    /// Runs until it is aborted.
    pub async fn keep(mut self) {
        let expected = self.specs.borrow().container;
        let inlet = Inlet::new(std::slice::from_ref(&self.channel), expected);
        let mut ran: Option<Arc<StreamSpec>> = None;
        // Over all activations: who asks again and again for what fails must not fill the log.
        let mut retry = Retry::default();
        loop {
            self.conditions.set(State::Idle);
            self.demand.wanted().await;
            let spec = self.specs.borrow_and_update().clone();
            inlet.carry_on(std::slice::from_ref(&self.channel), spec.container);
            if ran.as_ref().is_some_and(|ran| !ran.runs_alike(&spec)) {
                retry = Retry::default();
            }
            self.active(&spec, &inlet, &mut retry).await;
            ran = Some(spec);
            inlet.rest();
            self.conditions.edit(|c| c.pid = None);
        }
    }

    /// From the first start until nobody needs it, or it is to be another one.
    async fn active(&mut self, spec: &Arc<StreamSpec>, inlet: &Inlet, retry: &mut Retry) {
        let feeds: Vec<_> = spec.feeds.iter().filter_map(|name| self.shop.feed(name)).collect();
        let _holds: Vec<_> = feeds.iter().map(|feed| feed.demand.hold()).collect();
        let channels: Vec<_> = feeds.iter().map(|feed| feed.channel.clone()).collect();
        let demand = self.demand.clone();
        let mut specs = self.specs.clone();
        let over = async {
            let another = async {
                let mut last = spec.clone();
                loop {
                    if specs.changed().await.is_err() {
                        future::pending::<()>().await;
                    }
                    let next = specs.borrow_and_update().clone();
                    if !last.runs_alike(&next) {
                        return;
                    }
                    last = next;
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
            let start = self.start(spec, &channels, inlet);
            let command = tokio::select! {
                () = &mut over => return,
                command = start => command,
            };
            let (exit, ran, gave) = match command {
                Ok(command) => {
                    let pid = command.process.pid();
                    self.conditions.edit(|c| {
                        c.pid = Some(pid);
                        c.restarts += u64::from(started);
                    });
                    started = true;
                    let silent = tokio::select! {
                        () = &mut over => None,
                        silent = self.watch(&command, spec, inlet) => Some(silent),
                    };
                    let gave = inlet.end_run();
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

    /// Until the command's end. Some: it was fed and silent for so long.
    async fn watch(&self, command: &Command, spec: &StreamSpec, inlet: &Inlet) -> Option<Duration> {
        // Where there is nothing to feed it with, it has to give something by itself.
        let silence = Silence { allowed: spec.silence, of_itself: spec.feeds.is_empty() };
        let broken = silence.broken(&command.fed, inlet);
        tokio::pin!(broken);
        loop {
            tokio::select! {
                news = inlet.news() => match news {
                    News::Flows { .. } => {
                        self.conditions.edit(|c| c.failures = 0);
                        self.conditions.set(State::Running);
                    }
                    News::CutOff => {}
                    News::Ended(_) => return None,
                },
                () = &mut broken => return Some(spec.silence),
            }
        }
    }

    async fn start(
        &self,
        spec: &StreamSpec,
        channels: &[Arc<Channel>],
        inlet: &Inlet,
    ) -> Result<Command, LastExit> {
        let Some(command) = &spec.command else { return Err(LastExit::of(&"there is no command")) };
        let subscribers = start_together(channels).await;
        let began = Instant::now();
        let mut process = self.shop.runners.start(command).await.map_err(|e| LastExit::of(&e))?;
        let Some(Ok(stdout)) = process.stdout.take().map(pipe::Receiver::into_nonblocking_fd) else {
            return Err(LastExit::of(&"the command was started without an output"));
        };
        let pipes: Vec<_> =
            process.stdin.take().into_iter().chain(std::mem::take(&mut process.inputs)).collect();
        let run = inlet.begin_run();
        let pumping = inlet.pump(&self.shop.egress, std::slice::from_ref(&self.channel), stdout, run);
        let fed = Fed::default();
        let inputs = Inputs::start(subscribers, pipes, &fed);
        Ok(Command { process, _pumping: pumping, _inputs: inputs, fed, began })
    }
}

struct Silence {
    allowed: Duration,
    of_itself: bool,
}

/// The feed's name and how it ended, if it will not come back by itself.
fn dead(feed: &Arc<Feed>) -> Option<(String, LastExit)> {
    let condition = feed.conditions.get();
    let exit = condition.last_exit.filter(|_| condition.state == State::Failed)?;
    Some((feed.spec().name.clone(), exit))
}

impl Silence {
    /// Until it was silent for too long, and was given something to work on meanwhile.
    async fn broken(&self, fed: &Fed, inlet: &Inlet) {
        if self.allowed.is_zero() {
            future::pending::<()>().await;
        }
        let (mut heard, mut fed_then) = (inlet.heard(), fed.load(Ordering::Relaxed));
        let mut due = heard + self.allowed;
        loop {
            time::sleep_until(due.into()).await;
            if inlet.heard() != heard {
                (heard, fed_then) = (inlet.heard(), fed.load(Ordering::Relaxed));
                due = heard + self.allowed;
            } else if self.of_itself || fed.load(Ordering::Relaxed) != fed_then {
                return;
            } else {
                due = Instant::now() + self.allowed / 10;
            }
        }
    }
}

async fn end(command: Command, silent: Option<Duration>) -> LastExit {
    let Command { mut process, _pumping: pumping, _inputs: inputs, .. } = command;
    // Its input ends first: what it still has it may write, to nobody.
    drop(inputs);
    drop(pumping);
    process.stop();
    let mut exit: LastExit = process.wait().await.into();
    if let Some(after) = silent {
        exit.reason = format!("gave nothing for {} s, and was ended", after.as_secs_f64());
    }
    exit
}

//! A feed's own source, from run to run: what it does next.

use std::{
    future,
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use millrace_bus::Channel;
use tokio::{task::JoinHandle, time};

use super::{FeedSpec, Point, Run};
use crate::{
    inlet::{Inlet, News},
    intake::Room,
    shop::Shop,
    state::LastExit,
};

/// How far an unpaced file may run ahead of who reads it, in bytes: less than what makes a viewer skip (1 MiB).
const WINDOW: u64 = 512 << 10;
/// Readers of one channel hold back those of another for this long at most.
const HELD_BACK: Duration = Duration::from_secs(3);

/// The channels that a feed publishes on.
pub struct Channels {
    pub all: Vec<Arc<Channel>>,
    pub room: Room,
}

/// The feed's own source, over all its runs.
pub struct Primary {
    at: At,
    inlet: Inlet,
    point: Point,
    /// The source was started, or could not be, at least once.
    pub tried: bool,
    /// Why it is being ended.
    ending: Option<String>,
    /// Since when some readers hold it back.
    held: Option<Instant>,
}

enum At {
    Waiting(Instant),
    Starting(JoinHandle<Result<Run, LastExit>>, Instant),
    Running(Box<Run>),
    /// Not to be started again.
    Over,
}

/// What became of it.
pub enum Event {
    Started(Option<u32>),
    News(News),
    Ended(LastExit, Duration),
    Gap,
    Silent,
}

impl Primary {
    pub fn new(inlet: Inlet, point: Point) -> Self {
        Self { at: At::Waiting(Instant::now()), inlet, point, tried: false, ending: None, held: None }
    }

    /// The next run begins after `delay`; never, without one.
    pub fn again(&mut self, delay: Option<Duration>) {
        self.at = delay.map_or(At::Over, |delay| At::Waiting(Instant::now() + delay));
        (self.tried, self.ending, self.held) = (true, None, None);
    }

    /// It may be started again, unlike before.
    pub fn resurrect(&mut self) {
        if matches!(self.at, At::Over) {
            self.at = At::Waiting(Instant::now());
        }
    }

    pub fn running(&self) -> bool {
        matches!(self.at, At::Running(_))
    }

    pub fn must_not_be_silent(&self) -> bool {
        self.ending.is_none() && matches!(&self.at, At::Running(run) if run.must_not_be_silent())
    }

    /// Whether it is time for a fallback.
    pub fn quiet(&self) -> bool {
        match &self.at {
            At::Running(_) => self.inlet.in_gap(),
            At::Starting(..) | At::Waiting(_) => {
                self.tried || self.ending.is_some() || self.inlet.displaced()
            }
            At::Over => true,
        }
    }

    /// Ends the run; `why` will be said.
    pub fn kill(&mut self, why: &str) {
        self.ending = Some(why.to_owned());
    }

    /// See [`Run::anchor`].
    pub fn anchor(&self) -> Option<OwnedFd> {
        match &self.at {
            At::Running(run) => run.anchor(),
            _ => None,
        }
    }

    /// It is published on `channels` from now on.
    pub fn publishes_on(&self, channels: &[Arc<Channel>]) {
        if let At::Running(run) = &self.at {
            run.publishes_on(channels);
        }
    }

    /// How long an unpaced source has to wait before it is asked again whether it may go on; `None`: it may.
    fn held_back(&mut self, room: &Room) -> Option<Duration> {
        match room.left(WINDOW) {
            // Before the first bytes nobody can have read any.
            None => self.inlet.gave().then_some(Duration::from_millis(20)),
            Some(left) if left.all => {
                self.held = None;
                None
            }
            Some(left) => {
                let since = *self.held.get_or_insert_with(Instant::now);
                let go_on = left.any && since.elapsed() > HELD_BACK;
                (!go_on).then_some(Duration::from_millis(2))
            }
        }
    }

    pub async fn end(self) {
        if let At::Running(run) = self.at {
            run.end().await;
        }
    }

    /// Cancel safe.
    pub async fn next(&mut self, spec: &Arc<FeedSpec>, shop: &Arc<Shop>, channels: &Channels) -> Event {
        loop {
            if self.ending.is_some() && self.running() {
                return self.ended().await;
            }
            if matches!(&self.at, At::Running(run) if run.unpaced()) {
                while let Some(pause) = self.held_back(&channels.room) {
                    time::sleep(pause).await;
                }
            }
            match &mut self.at {
                At::Over => return future::pending().await,
                At::Waiting(until) => {
                    time::sleep_until((*until).into()).await;
                    let (spec, shop, point) = (spec.clone(), shop.clone(), self.point.clone());
                    let began = Instant::now();
                    let start = tokio::spawn(async move { Run::start(&spec, &shop, &point).await });
                    self.at = At::Starting(start, began);
                }
                At::Starting(start, began) => {
                    let began = *began;
                    match start.await.unwrap_or_else(|e| Err(LastExit::of(&e))) {
                        Ok(mut run) => {
                            let pid = run.pid();
                            self.tried = true;
                            run.flow(&self.inlet, &channels.all, shop);
                            self.at = At::Running(Box::new(run));
                            return Event::Started(pid);
                        }
                        Err(exit) => {
                            self.at = At::Over;
                            return Event::Ended(exit, began.elapsed());
                        }
                    }
                }
                At::Running(run) => match run.next(&self.inlet).await {
                    None => {}
                    Some(News::Ended(Ok(()))) => return self.ended().await,
                    Some(News::Ended(Err(e))) => {
                        let ran = run.began().elapsed();
                        self.at = At::Over;
                        return Event::Ended(LastExit::of(&e), ran);
                    }
                    Some(news) => return Event::News(news),
                },
            }
        }
    }

    async fn ended(&mut self) -> Event {
        // From here on it must not be cancelled half-way: what is left of the run is moved out first.
        let At::Running(run) = std::mem::replace(&mut self.at, At::Over) else {
            return Event::Ended(LastExit::of(&"ended"), Duration::ZERO);
        };
        let ran = run.began().elapsed();
        let began = Instant::now();
        let why = self.ending.take();
        let ended = tokio::spawn(async move {
            let mut exit = run.end().await;
            if let Some(why) = why {
                exit.reason = format!("{why}, and was ended");
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

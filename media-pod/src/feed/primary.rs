//! A feed's own source, from run to run: what it does next.

use std::{
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{task::JoinHandle, time};

use super::{FeedSpec, Run, watchdog::Watchdog};
use crate::{
    intake::{Intake, Room},
    shop::Shop,
    state::LastExit,
};

/// How far an unpaced file may run ahead of who reads it, in bytes.
const WINDOW: u64 = 1 << 20;
/// Readers of one channel hold back those of another for this long at most.
const HELD_BACK: Duration = Duration::from_secs(3);

/// The feed's own source, over all its runs.
pub struct Primary {
    at: At,
    /// The run gave bytes.
    pub gave: bool,
    /// A fallback has published since the last bytes.
    pub displaced: bool,
    /// What it goes on with cannot be read without what it gave before it was displaced.
    headless: bool,
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
    Bytes(Bytes),
    Ended(LastExit, Duration),
    Gap,
    Silent,
}

impl Primary {
    pub fn after(delay: Duration) -> Self {
        Self { at: At::Waiting(Instant::now() + delay), ..Self::over() }
    }

    pub fn over() -> Self {
        Self { at: At::Over, gave: false, displaced: false, headless: false, ending: None, held: None }
    }

    /// It may be started again, unlike before.
    pub fn resurrect(&mut self) {
        if matches!(self.at, At::Over) {
            self.at = At::Waiting(Instant::now());
        }
    }

    /// A fallback begins to publish on `intake` in place of it.
    pub fn displace(&mut self, intake: &Intake) {
        self.headless |= self.gave && !self.displaced && intake.needs_header();
        self.displaced = true;
    }

    /// Whether it has to be started anew to be of use again.
    pub fn cut_off(&self) -> bool {
        self.displaced && self.headless
    }

    pub fn running(&self) -> bool {
        matches!(self.at, At::Running(_))
    }

    pub fn must_not_be_silent(&self) -> bool {
        self.ending.is_none() && matches!(&self.at, At::Running(run) if run.must_not_be_silent())
    }

    /// Whether it is time for a fallback.
    pub fn quiet(&self, watchdog: &Watchdog) -> bool {
        match &self.at {
            At::Running(_) => watchdog.in_gap || (self.displaced && (!self.gave || self.headless)),
            At::Starting(..) | At::Waiting(_) => self.displaced || self.ending.is_some() || watchdog.tried,
            At::Over => true,
        }
    }

    /// True once per run, and again when a fallback had the word in between.
    pub fn first_bytes(&mut self) -> bool {
        let first = !self.gave || self.displaced;
        (self.gave, self.displaced) = (true, false);
        first
    }

    /// Ends the run; `why` will be said.
    pub fn kill(&mut self, why: &str) {
        self.ending = Some(why.to_owned());
    }

    /// How long an unpaced source has to wait before it is asked again whether it may go on; `None`: it may.
    fn held_back(&mut self, room: &Room) -> Option<Duration> {
        match room.left(WINDOW) {
            // Before the first bytes nobody can have read any.
            None => self.gave.then_some(Duration::from_millis(20)),
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
    pub async fn next(&mut self, spec: &Arc<FeedSpec>, shop: &Arc<Shop>, room: &Room) -> Event {
        if self.ending.is_some() && self.running() {
            return self.ended().await;
        }
        if matches!(&self.at, At::Running(run) if run.unpaced()) {
            while let Some(pause) = self.held_back(room) {
                time::sleep(pause).await;
            }
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
                    return match run.read().await {
                        Ok(bytes) if !bytes.is_empty() => Event::Bytes(bytes),
                        Ok(_) => self.ended().await,
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

//! Where the bytes of a feed or of a command come in: published at once by whoever read them, mostly an egress shard,
//! and told of only where that is news.

use std::{
    future,
    io::{self, Read},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use millrace_bus::{
    Channel,
    egress::{Egress, Flow, Pump, Pumping},
};
use tokio::sync::Notify;

use crate::{
    buffer::{self, READ},
    intake::{Expected, Intake, Room},
    watchdog::Watchdog,
};

/// See the module. Cheap to clone: all clones are one.
#[derive(Clone, Debug)]
pub struct Inlet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug)]
struct State {
    intake: Intake,
    watchdog: Watchdog,
    /// Counts the runs: what an earlier one still gives is not wanted.
    run: u64,
    /// The run gave bytes.
    gave: bool,
    displaced: Option<Displaced>,
    /// It flows, and nobody was told yet; true where its first bytes are among that.
    flows: Option<bool>,
    cut_off: bool,
    ended: Option<io::Result<()>>,
}

/// Somebody else has published since the run's last bytes.
#[derive(Clone, Copy, Debug)]
struct Displaced {
    /// What the run goes on with cannot be read without what it gave before.
    headless: bool,
}

/// What is to be known of a run.
#[derive(Debug)]
pub enum News {
    /// Bytes flow: the first of the run, or of a run that had been displaced; or again after a gap.
    Flows {
        /// Not only after a gap.
        first: bool,
    },
    /// It gave something that is of no use, since others published in between. It has to be begun anew.
    CutOff,
    /// That was all.
    Ended(io::Result<()>),
}

impl Inlet {
    /// Publishes on `channels`.
    pub fn new(channels: &[Arc<Channel>], expected: Expected) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                intake: Intake::new(channels, expected),
                watchdog: Watchdog::default(),
                run: 0,
                gave: false,
                displaced: None,
                flows: None,
                cut_off: false,
                ended: None,
            }),
            news: Notify::new(),
        }))
    }

    /// From now on publishes on `channels`.
    pub fn carry_on(&self, channels: &[Arc<Channel>], expected: Expected) {
        self.state().intake.carry_on(channels, expected);
    }

    /// Where to ask for room.
    pub fn room(&self) -> Room {
        self.state().intake.room()
    }

    /// Another run: what an earlier one still gives is dropped. Its number.
    pub fn begin_run(&self) -> u64 {
        let mut state = self.state();
        state.run += 1;
        state.displaced = state.displaced.map(|_| Displaced { headless: false });
        (state.gave, state.flows, state.cut_off, state.ended) = (false, None, false, None);
        state.watchdog.began();
        state.run
    }

    /// No run: nothing is taken any more. What was published is ended, unless others published it.
    pub fn end_run(&self) -> bool {
        let mut state = self.state();
        state.run += 1;
        if state.gave && state.displaced.is_none() {
            state.intake.end();
        }
        std::mem::replace(&mut state.gave, false)
    }

    /// Nobody publishes any more.
    pub fn rest(&self) {
        let mut state = self.state();
        state.run += 1;
        state.intake.end();
        (state.gave, state.displaced) = (false, None);
        state.watchdog = Watchdog::default();
    }

    /// Bytes of a run. False: it is not wanted any more.
    pub fn take(&self, run: u64, bytes: &Bytes) -> bool {
        let mut state = self.state();
        if state.run != run {
            return false;
        }
        let resumed = state.watchdog.heard();
        let first = !state.gave || state.displaced.is_some();
        if state.displaced.is_some_and(|displaced| displaced.headless) {
            state.cut_off = true;
            drop(state);
            self.0.news.notify_one();
            return true;
        }
        if first {
            state.intake.begin();
            (state.gave, state.displaced) = (true, None);
        }
        state.intake.push(bytes);
        if first || resumed {
            state.flows = Some(first || state.flows == Some(true));
            drop(state);
            self.0.news.notify_one();
        }
        true
    }

    /// A run gives nothing any more.
    pub fn ended(&self, run: u64, how: io::Result<()>) {
        let mut state = self.state();
        if state.run == run {
            state.ended = Some(how);
            drop(state);
            self.0.news.notify_one();
        }
    }

    /// What is new, if anything is.
    pub fn news_now(&self) -> Option<News> {
        let mut state = self.state();
        if let Some(first) = state.flows.take() {
            return Some(News::Flows { first });
        }
        if std::mem::take(&mut state.cut_off) {
            return Some(News::CutOff);
        }
        state.ended.take().map(News::Ended)
    }

    /// Until something is new. Cancel safe. For one listener.
    pub async fn news(&self) -> News {
        loop {
            let waits = self.0.news.notified();
            if let Some(news) = self.news_now() {
                return news;
            }
            waits.await;
        }
    }

    /// Publishes what another feed gives in place of the run; `begins` where it is not the continuation of what it gave
    /// before. False: the run flows by itself.
    pub fn take_other(&self, bytes: &Bytes, begins: bool) -> bool {
        let mut state = self.state();
        if state.gave && state.displaced.is_none() && !state.watchdog.in_gap {
            return false;
        }
        if begins || state.displaced.is_none() {
            let headless = match state.displaced {
                Some(displaced) => displaced.headless,
                None => state.gave && state.intake.needs_header(),
            };
            state.displaced = Some(Displaced { headless });
            state.intake.begin();
        }
        state.intake.push(bytes);
        true
    }

    /// Whether the run gave anything.
    pub fn gave(&self) -> bool {
        self.state().gave
    }

    /// Whether others publish in place of it.
    pub fn displaced(&self) -> bool {
        self.state().displaced.is_some()
    }

    /// Whether the run that goes on gives nothing, for whatever reason.
    pub fn in_gap(&self) -> bool {
        let state = self.state();
        state.watchdog.in_gap || state.displaced.is_some_and(|displaced| !state.gave || displaced.headless)
    }

    /// When bytes came last; the start of the run, before they did.
    pub fn heard(&self) -> Instant {
        self.state().watchdog.last()
    }

    /// Until the run has given nothing for unusually long.
    pub async fn gap(&self) {
        loop {
            let Some(due) = self.state().watchdog.gap_due() else { return future::pending().await };
            tokio::time::sleep_until(due.into()).await;
            if self.state().watchdog.note_gap(Instant::now()) {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads `pipe`, of that run, to its end: on the thread that serves the viewers of `channels`.
    pub fn pump(&self, egress: &Egress, channels: &[Arc<Channel>], pipe: OwnedFd, run: u64) -> Pumping {
        egress.pump(channels, pipe, Box::new(PipePump { inlet: self.clone(), run }))
    }
}

struct PipePump {
    inlet: Inlet,
    run: u64,
}

impl Pump for PipePump {
    fn read(&mut self, pipe: &mut dyn Read, closed: bool) -> Flow {
        let how = match buffer::read(pipe) {
            Ok(bytes) if bytes.is_empty() => Ok(()),
            Ok(bytes) => {
                return match self.inlet.take(self.run, &bytes) {
                    false => Flow::Over,
                    // A read that is not full has emptied the pipe; but of its end there is no second event.
                    true if bytes.len() == READ || closed => Flow::More,
                    true => Flow::Empty,
                };
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Flow::Empty,
            Err(e) => Err(e),
        };
        self.inlet.ended(self.run, how);
        Flow::Over
    }
}

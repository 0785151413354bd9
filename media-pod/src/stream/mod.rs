//! Streams: one encoding each, at a path, for any number of viewers.

mod hopeless;
mod inputs;
mod open;
mod run;
mod together;

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use millrace_bus::{Channel, GopCache};
use tokio::{sync::watch, task::JoinHandle};

pub use hopeless::{feed as feed_hopeless, stream as stream_hopeless};
pub use together::{alone, start_together};

use crate::{
    hold::{Demand, Hold},
    intake::Expected,
    runners::Command,
    shop::Shop,
    snapshot::Snapshots,
    state::Conditions,
};

/// A stream as it is to run, nothing left to resolve.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSpec {
    /// Its name.
    pub name: String,
    /// With another text its command is run anew.
    pub restart: Option<String>,
    /// Its path.
    pub path: String,
    /// The feeds that it needs.
    pub feeds: Vec<String>,
    /// The command that makes it; without one the feed is passed through.
    pub command: Option<Box<Command>>,
    /// How to describe that to people; no secrets.
    pub description: Option<String>,
    /// The container, where it was said.
    pub container: Expected,
    /// How long to gather writes for.
    pub flush: Duration,
    /// Whether the command is started again when it ends.
    pub resurrect: bool,
    /// A command that is fed, and gives nothing for this long, counts as dead; zero: never.
    pub silence: Duration,
    /// What is kept for those who join.
    pub gop_cache: GopCache,
    /// Whether there are snapshots, and in what quality (percent).
    pub snapshot: Option<SnapshotSpec>,
}

/// How snapshots are given where the request does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotSpec {
    /// The format.
    pub format: crate::snapshot::Format,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
}

/// A stream that is being looked after.
#[derive(Debug)]
pub struct Stream {
    /// What it publishes.
    pub channel: Arc<Channel>,
    /// Who needs it.
    pub demand: Demand,
    /// How its command is; a stream without one is as its feed is.
    pub conditions: Conditions,
    /// Viewers, those included who wait for its first bytes.
    pub viewers: AtomicUsize,
    /// Its pictures.
    pub snapshots: Snapshots,
    spec: watch::Sender<Arc<StreamSpec>>,
    task: Option<JoinHandle<()>>,
    shop: Arc<Shop>,
}

impl Stream {
    /// Looks after a stream from now on.
    pub fn start(spec: Arc<StreamSpec>, shop: &Arc<Shop>) -> Arc<Self> {
        let channel = Channel::new(spec.name.as_str(), spec.gop_cache);
        let (demand, conditions) = (Demand::default(), Conditions::default());
        let with_command = spec.command.is_some();
        let (to, specs) = watch::channel(spec);
        let task = with_command.then(|| {
            let keeper = run::Keeper {
                channel: channel.clone(),
                demand: demand.clone(),
                conditions: conditions.clone(),
                specs,
                shop: shop.clone(),
            };
            tokio::spawn(keeper.keep())
        });
        Arc::new(Self {
            channel,
            demand,
            conditions,
            viewers: AtomicUsize::new(0),
            snapshots: Snapshots::default(),
            spec: to,
            task,
            shop: shop.clone(),
        })
    }

    /// What it is now.
    pub fn spec(&self) -> Arc<StreamSpec> {
        self.spec.borrow().clone()
    }

    /// Is something else from now on, with the same path and again with, or again without, a command. Its viewers stay.
    pub fn change(&self, spec: Arc<StreamSpec>) {
        self.channel.set_gop_cache(spec.gop_cache);
        self.spec.send_replace(spec);
    }

    /// It is no more: its viewers are let go, its command ends.
    pub fn retire(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.channel.close();
    }

    /// Whether it is its feed's bytes as they are.
    pub fn passes_through(&self) -> bool {
        self.task.is_none()
    }

    /// The conditions that say how it is doing: its command's or its feed's.
    pub fn doing(&self) -> Conditions {
        if self.passes_through()
            && let Some(feed) = self.spec().feeds.first().and_then(|name| self.shop.feed(name))
        {
            return feed.conditions.clone();
        }
        self.conditions.clone()
    }

    /// Needs it: its command runs, or its feed, until both are dropped.
    pub fn hold(&self) -> (Hold, Option<Hold>) {
        let feed =
            self.passes_through().then(|| self.spec().feeds.first().and_then(|name| self.shop.feed(name)));
        (self.demand.hold(), feed.flatten().map(|feed| feed.demand.hold()))
    }
}

impl StreamSpec {
    /// Whether what runs for it can go on running when it becomes `next`.
    pub fn runs_alike(&self, next: &Self) -> bool {
        let running = |spec: &Self| {
            (spec.feeds.clone(), spec.command.clone(), spec.container, spec.resurrect, spec.silence)
        };
        // An annotation that is taken away asks for nothing.
        let asked = next.restart.is_some() && self.restart != next.restart;
        !asked && running(self) == running(next)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.retire();
    }
}

//! Feeds: one input each, shared by all streams that need it.

mod fallback;
mod file;
mod point;
mod primary;
mod relay;
mod run;
mod slot;
mod source;

use std::{sync::Arc, time::Duration};

use millrace_bus::{Channel, GopCache};
use tokio::{sync::watch, task::JoinHandle};

pub use point::{AGAIN, Joined, Point, join};
pub use relay::{FEEDS, Relayed};
pub use run::report;
pub use source::{Run, Source};

use crate::{hold::Demand, intake::Expected, shop::Shop, state::Conditions};

/// A feed as it is to run, nothing left to resolve.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedSpec {
    /// Its name.
    pub name: String,
    /// With another text it is run anew.
    pub restart: Option<String>,
    /// What it reads.
    pub source: Source,
    /// How to describe that to people; no secrets.
    pub description: String,
    /// When it runs.
    pub activation: Activation,
    /// Whether it is started again when it ends.
    pub resurrect: bool,
    /// Alive without bytes for this long counts as dead; zero: never.
    pub silence: Duration,
    /// Feeds that take over, in order, while this one gives nothing.
    pub fallback: Vec<String>,
    /// The container, where it was said.
    pub container: Expected,
}

impl FeedSpec {
    /// Whether what runs for it can go on running when it becomes `next`.
    pub fn runs_alike(&self, next: &Self) -> bool {
        // An annotation that is taken away asks for nothing.
        let asked = next.restart.is_some() && self.restart != next.restart;
        !asked && self.source == next.source && self.container == next.container
    }
}

/// When a feed runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// While somebody needs it, and this long after; zero for `OnDemand`.
    OnDemand(Duration),
    /// Always.
    Continuous,
}

/// What the task of a feed is to do; changed while it runs.
#[derive(Clone, Debug)]
pub struct Order {
    /// How it runs.
    pub spec: Arc<FeedSpec>,
    /// The channels of the streams that pass it through: published on beside its own.
    pub tees: Vec<Arc<Channel>>,
}

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        let same_tees = || self.tees.iter().zip(&other.tees).all(|(one, two)| Arc::ptr_eq(one, two));
        self.spec == other.spec && self.tees.len() == other.tees.len() && same_tees()
    }
}

/// A feed that is being looked after.
#[derive(Debug)]
pub struct Feed {
    /// Its own channel: for commands, fallbacks, snapshots.
    pub channel: Arc<Channel>,
    /// Who needs it.
    pub demand: Demand,
    /// How it is.
    pub conditions: Conditions,
    /// Where it waits for a publisher, if that is what it does.
    pub point: Point,
    order: watch::Sender<Order>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Looks after a feed from now on.
    pub fn start(order: Order, shop: &Arc<Shop>) -> Arc<Self> {
        let channel = Channel::new(order.spec.name.as_str(), GopCache::default());
        let (demand, conditions) = (Demand::default(), Conditions::default());
        let point = Point::default();
        let (to, orders) = watch::channel(order);
        let keeper = run::Keeper {
            channel: channel.clone(),
            demand: demand.clone(),
            conditions: conditions.clone(),
            point: point.clone(),
            orders,
            shop: shop.clone(),
        };
        let task = tokio::spawn(keeper.keep());
        Arc::new(Self { channel, demand, conditions, point, order: to, task })
    }

    /// What it does now.
    pub fn spec(&self) -> Arc<FeedSpec> {
        self.order.borrow().spec.clone()
    }

    /// Does something else from now on, if `order` is another one. What is the same is not disturbed.
    pub fn change(&self, order: Order) {
        self.order.send_if_modified(|had| {
            let another = *had != order;
            if another {
                *had = order;
            }
            another
        });
    }
}

impl Feed {
    /// It is no more: its process ends with the task, its readers by the channel.
    pub fn retire(&self) {
        self.task.abort();
        self.channel.close();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.retire();
    }
}

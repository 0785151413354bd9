//! What the operator's leader does about feeds without an owner, with a new one, or with one that drains.

mod memory;
mod order;
mod pass;
mod seen;
mod settle;

use std::{collections::BTreeMap, time::Duration};

use self::{memory::Memory, pass::Pass};
pub use self::{
    order::{Chain, Decision, Drain, Order, Why},
    seen::{BalancerSeen, Candidate, FeedSeen, LeaseSeen, PodSeen, Seen},
};
use crate::{
    epoch::Epoch,
    grant::Grant,
    id::{FeedUid, Holder},
    settings::Settings,
    tenure::Holding,
    time::Time,
};

/// The decisions of one leader, from when it leads to when it does not: then it is thrown away.
#[derive(Clone, Debug)]
pub struct Failover {
    settings: Settings,
    feeds: BTreeMap<FeedUid, Memory>,
    /// Failovers that may be begun now, in thousandths, and when that was so.
    tokens: u64,
    counted: Option<Time>,
}

impl Failover {
    /// Of a new leader.
    pub fn new(settings: Settings) -> Self {
        let tokens = u64::from(settings.failovers_per_second) * 1000;
        Self { settings, feeds: BTreeMap::new(), tokens, counted: None }
    }

    /// Other times from now on.
    pub fn settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Decides. Each chain's feed is left alone then until [`finished`](Self::finished).
    pub fn decide(&mut self, seen: &Seen, now: Time) -> Decision {
        self.feeds.retain(|feed, memory| memory.busy || seen.feeds.contains_key(feed));
        for (feed, known) in &seen.feeds {
            let memory = self.feeds.entry(feed.clone()).or_default();
            if memory.owner.is_none() && memory.floor.is_none() {
                // What the leader before has cut off must not be vouched for again.
                let announced = seen.announced(feed).map(|(epoch, _)| epoch);
                let lease = known.lease.as_ref().map(|lease| lease.epoch);
                memory.floor = lease.max(known.status).max(announced);
            }
        }
        if seen.listening {
            return Decision::default();
        }
        self.fill(now);
        let mut pass = Pass::new(&self.settings, seen, now, &mut self.tokens);
        pass.run(&mut self.feeds);
        pass.decision
    }

    fn fill(&mut self, now: Time) {
        let most = u64::from(self.settings.failovers_per_second) * 1000;
        let passed = self.counted.map_or(Duration::ZERO, |then| now.since(then));
        let new = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let new = new.saturating_mul(u64::from(self.settings.failovers_per_second));
        // Time that is too short to count is left for the next pass.
        if self.counted.is_none() || new > 0 {
            self.tokens = self.tokens.saturating_add(new).min(most);
            self.counted = Some(now);
        }
    }

    /// A feed's chain has come to its end: all of it was carried out, or an order failed and the rest was dropped.
    pub fn finished(&mut self, feed: &FeedUid, all: bool) {
        if let Some(memory) = self.feeds.get_mut(feed) {
            memory.busy = false;
            memory.pending = memory.pending.take().filter(|_| all);
        }
    }

    /// What the answer to a pod's beat vouches for.
    pub fn vouch(&self, holdings: &[Holding]) -> Vec<(FeedUid, Epoch)> {
        let floor = |holding: &&Holding| {
            self.feeds
                .get(&holding.feed)
                .and_then(|memory| memory.floor)
                .is_some_and(|floor| holding.epoch >= floor)
        };
        holdings.iter().filter(floor).map(|holding| (holding.feed.clone(), holding.epoch)).collect()
    }

    /// All that a balancer is told before it is answered for the first time: grants to sign, and whether they cut frames.
    pub fn table(&self) -> Vec<(Grant, bool)> {
        let entry = |(feed, memory): (&FeedUid, &Memory)| {
            let (epoch, holder): (Epoch, Holder) = memory.owner.clone()?;
            let frames = memory.fenced >= Some(epoch);
            let grant = Grant { feed: feed.clone(), holder, epoch };
            (frames || !memory.planned).then_some((grant, frames))
        };
        self.feeds.iter().filter_map(entry).collect()
    }
}

#[cfg(test)]
mod tests;

//! What must never be, and what must be in the end.

use std::collections::BTreeMap;

use millrace_fencing::{Epoch, FeedUid, Holder, directory::OwnerState};

use crate::{
    balancer::path,
    world::{Who, World},
};

#[derive(Default)]
pub struct Checks {
    /// Who was granted which epoch.
    pub issued: BTreeMap<(FeedUid, Epoch), Holder>,
    pub failed: Option<String>,
    pub failovers: u64,
}

impl Checks {
    pub fn fail(&mut self, now: u64, what: String) {
        self.failed.get_or_insert(format!("after {} ms: {what}", now / 1000));
    }

    pub fn issue(&mut self, now: u64, grant: &millrace_fencing::Grant) {
        let key = (grant.feed.clone(), grant.epoch);
        let owner = self.issued.entry(key).or_insert_with(|| grant.holder.clone());
        if *owner != grant.holder {
            let owner = owner.clone();
            self.fail(
                now,
                format!(
                    "epoch {} of {} has two owners: {owner} and {}",
                    grant.epoch, grant.feed, grant.holder
                ),
            );
        }
    }
}

impl World {
    /// Each feed has one owner, everybody who must know knows it, and exclusive work is done once.
    pub fn check_peace(&mut self) {
        for feed in self.feeds.clone() {
            let Some(lease) = self.api[&feed].lease.clone() else {
                return self.checks.fail(self.now, format!("{feed} has no Lease"));
            };
            for i in 0..self.balancers.len() {
                let owner = self.balancers[i].directory.owner(path(&feed));
                let right = owner.as_ref().is_some_and(|owner| {
                    owner.holder == lease.holder
                        && owner.epoch == lease.epoch
                        && matches!(owner.state, OwnerState::Live(_))
                });
                if self.alive(Who::Balancer(i)) && !right {
                    self.checks.fail(
                        self.now,
                        format!(
                            "balancer {i} has {owner:?} for {feed}; the Lease has {} in {}",
                            lease.holder, lease.epoch
                        ),
                    );
                }
            }
            let exclusive = (0..self.servers.len()).filter(|i| self.exclusive(*i, &feed)).count();
            if exclusive != 1 {
                self.checks.fail(self.now, format!("{exclusive} servers do exclusive work of {feed}"));
            }
        }
    }
}

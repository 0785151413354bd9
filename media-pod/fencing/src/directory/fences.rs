//! What is known of each feed's epochs, whatever paths it has.

use std::{collections::BTreeMap, time::Duration};

use super::{Announcement, Refused};
use crate::{
    epoch::Epoch,
    grant::Grant,
    id::{FeedUid, Holder},
    time::Time,
};

#[derive(Clone, Debug, Default)]
struct Fence {
    /// The newest that was announced, or told of to cut frames: nothing older may be announced.
    newest: Option<(Epoch, Holder)>,
    /// Below it nobody is vouched for: only the operator raises it.
    floor: Option<Epoch>,
    touched: Time,
}

impl Fence {
    fn passes(&self, offered: Epoch) -> Result<(), Refused> {
        match self.newest {
            Some((known, _)) if known > offered => Err(Refused::Older { offered, known }),
            _ => Ok(()),
        }
    }

    fn raise(&mut self, epoch: Epoch, holder: &Holder) -> Result<(), Refused> {
        self.passes(epoch)?;
        match &self.newest {
            Some((newest, known)) if *newest == epoch && known != holder => {
                Err(Refused::Conflict { epoch, known: known.clone(), offered: holder.clone() })
            }
            _ => {
                self.newest = Some((epoch, holder.clone()));
                Ok(())
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Fences(BTreeMap<FeedUid, Fence>);

impl Fences {
    fn of(&mut self, feed: &FeedUid, most: usize, now: Time) -> Result<&mut Fence, Refused> {
        if self.0.len() >= most && !self.0.contains_key(feed) {
            return Err(Refused::Full(most, "feeds"));
        }
        let fence = self.0.entry(feed.clone()).or_default();
        fence.touched = now;
        Ok(fence)
    }

    pub(super) fn announced(&mut self, said: &Announcement, most: usize, now: Time) -> Result<(), Refused> {
        self.of(&said.feed, most, now)?.raise(said.epoch, &said.from)
    }

    /// Whether an announcement of this epoch would be accepted.
    pub(super) fn passes(&self, feed: &FeedUid, epoch: Epoch) -> Result<(), Refused> {
        self.0.get(feed).map_or(Ok(()), |fence| fence.passes(epoch))
    }

    pub(super) fn told(
        &mut self,
        grant: &Grant,
        frames: bool,
        most: usize,
        now: Time,
    ) -> Result<(), Refused> {
        let fence = self.of(&grant.feed, most, now)?;
        fence.floor = fence.floor.max(Some(grant.epoch));
        match frames.then(|| fence.raise(grant.epoch, &grant.holder)) {
            // Announcements and the operator's word may cross.
            None | Some(Ok(()) | Err(Refused::Older { .. })) => Ok(()),
            Some(conflict) => conflict,
        }
    }

    pub(super) fn floor(&self, feed: &FeedUid) -> Option<Epoch> {
        self.0.get(feed).and_then(|fence| fence.floor)
    }

    pub(super) fn floors(&self) -> impl Iterator<Item = (&FeedUid, Epoch)> {
        self.0.iter().filter_map(|(feed, fence)| Some((feed, fence.floor?)))
    }

    pub(super) fn newest(&self) -> impl Iterator<Item = Grant> {
        self.0.iter().filter_map(|(feed, fence)| {
            let (epoch, holder) = fence.newest.clone()?;
            Some(Grant { feed: feed.clone(), holder, epoch })
        })
    }

    pub(super) fn expire(&mut self, now: Time, after: Duration, used: impl Fn(&FeedUid) -> bool) {
        self.0.retain(|feed, fence| now.since(fence.touched) <= after || used(feed));
    }
}

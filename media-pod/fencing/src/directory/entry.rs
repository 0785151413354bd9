//! One path of a directory.

use std::time::Duration;

use super::{Announcement, LinkId};
use crate::{
    epoch::Epoch,
    grant::SignedGrant,
    id::{FeedUid, Holder},
    time::Time,
};

/// Who owns a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The feed behind the path.
    pub feed: FeedUid,
    /// Its owner.
    pub holder: Holder,
    /// The owner's epoch.
    pub epoch: Epoch,
    /// Whether it can be reached.
    pub state: OwnerState,
}

/// Whether an owner can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerState {
    /// Over this link.
    Live(LinkId),
    /// Its link is gone, or it is fenced: viewers wait.
    Orphan {
        /// Since when.
        since: Time,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    owner: Owner,
    pub(super) grant: SignedGrant,
}

impl Entry {
    pub(super) fn new(said: Announcement) -> Self {
        let state = OwnerState::Live(said.link);
        Self {
            owner: Owner { feed: said.feed, holder: said.from, epoch: said.epoch, state },
            grant: said.grant,
        }
    }

    pub(super) fn owner(&self) -> Owner {
        self.owner.clone()
    }

    pub(super) fn feed(&self) -> &FeedUid {
        &self.owner.feed
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.owner.epoch
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        match self.owner.state {
            OwnerState::Live(link) => Some(link),
            OwnerState::Orphan { .. } => None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.link().is_some()
    }

    pub(super) fn owned_by(&self, said: &Announcement) -> bool {
        self.owner.feed == said.feed && self.owner.epoch == said.epoch && self.owner.holder == said.from
    }

    pub(super) fn orphan(&mut self, now: Time) {
        if self.is_live() {
            self.owner.state = OwnerState::Orphan { since: now };
        }
    }

    pub(super) fn orphaned_for(&self, now: Time) -> Duration {
        match self.owner.state {
            OwnerState::Live(_) => Duration::ZERO,
            OwnerState::Orphan { since } => now.since(since),
        }
    }
}

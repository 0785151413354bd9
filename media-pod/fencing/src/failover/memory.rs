//! What a leader remembers of a feed. All of it may be lost with the leader: then it errs on the side of waiting.

use std::collections::BTreeMap;

use super::seen::LeaseSeen;
use crate::{epoch::Epoch, id::Holder, time::Time};

/// Those that owned a feed before, and their epochs.
pub(super) type Before = BTreeMap<Holder, Epoch>;

#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) epoch: Epoch,
    pub(super) holder: Holder,
    pub(super) before: Option<Before>,
    pub(super) planned: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// Orders of it are under way.
    pub(super) busy: bool,
    pub(super) pending: Option<Pending>,
    /// The owner by the Lease, and since when this leader has seen it there.
    pub(super) owner: Option<(Epoch, Holder)>,
    pub(super) since: Time,
    /// Nobody below is vouched for by this leader.
    pub(super) floor: Option<Epoch>,
    /// Balancers were told of this epoch, and cut older frames.
    pub(super) fenced: Option<Epoch>,
    /// Since when at least half of the balancers have been known to know.
    pub(super) quorum: Option<Time>,
    /// Who may have done exclusive work before the present owner; nothing if that is not known.
    pub(super) before: Option<Before>,
    /// It is a planned move by this leader: the old owner goes on until the new one is there.
    pub(super) planned: bool,
    /// The present owner is known to have been cleared.
    pub(super) cleared: bool,
    /// When messages were sent last that may have to be sent again.
    pub(super) pushed: Option<Time>,
    pub(super) told: Option<Time>,
    /// Since when nobody can take it, and when a new pod was asked for last.
    pub(super) homeless: Option<Time>,
    pub(super) asked: Option<Time>,
}

impl Memory {
    /// A Lease that counts is seen.
    pub(super) fn see(&mut self, lease: &LeaseSeen, now: Time) {
        let owner = (lease.epoch, lease.holder.clone());
        if self.owner.as_ref() == Some(&owner) {
            return;
        }
        let mine = |p: &Pending| p.epoch == lease.epoch && p.holder == lease.holder;
        let pending = self.pending.take().filter(mine);
        let planned = pending.as_ref().is_some_and(|p| p.planned);
        if !planned {
            self.floor = self.floor.max(Some(lease.epoch));
        }
        self.pushed = pending.is_some().then_some(now);
        self.before = pending.and_then(|p| p.before);
        self.planned = planned;
        self.owner = Some(owner);
        self.since = now;
        self.fenced = self.fenced.filter(|fenced| *fenced >= lease.epoch);
        self.quorum = None;
        self.cleared = false;
        self.told = None;
        self.homeless = None;
        self.asked = None;
    }

    /// Who comes before the next owner.
    pub(super) fn next_before(&self) -> Option<Before> {
        let (epoch, holder) = self.owner.clone()?;
        let mut before = if self.cleared { Before::new() } else { self.before.clone()? };
        before.insert(holder, epoch);
        Some(before)
    }

    pub(super) fn under_way(&self) -> bool {
        self.planned && self.fenced < self.owner.as_ref().map(|(epoch, _)| *epoch)
            || self.pending.as_ref().is_some_and(|p| p.planned)
    }
}

//! What is to be done.

use std::sync::Arc;

use crate::{
    epoch::Epoch,
    grant::Grant,
    id::{FeedUid, Holder, PodUid},
    liveness::Cause,
};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Set `Feed.status.epoch`, if it is still what was seen (a JSON patch with a `test`). Whoever succeeds, and nobody
    /// else, may give this epoch away.
    Reserve {
        /// The feed.
        feed: FeedUid,
        /// What it must be still.
        from: Option<Epoch>,
        /// What it becomes.
        epoch: Epoch,
    },
    /// Sign the grant, and write a Lease that carries it.
    WriteLease {
        /// The grant.
        grant: Grant,
        /// The `resourceVersion` that it must have still; nothing if there must be none.
        version: Option<Arc<str>>,
    },
    /// See to it that the pod's configuration has the feed.
    Configure {
        /// The pod.
        pod: PodUid,
        /// The feed.
        feed: FeedUid,
    },
    /// Sign the grant, and push it to its holder.
    Push {
        /// The grant.
        grant: Grant,
    },
    /// Tell all balancers of the grant ([`crate::Directory::fence`]).
    Fence {
        /// The grant.
        grant: Grant,
        /// Whether older owners' frames are cut.
        frames: bool,
    },
    /// Tell a former owner of the grant that came after its own ([`crate::Tenure::revoked`]).
    Revoke {
        /// Who is told.
        to: Holder,
        /// The newer grant.
        grant: Grant,
    },
    /// Tell the holder that nobody before it does exclusive work any more ([`crate::Tenure::clear`]).
    Clear {
        /// The grant.
        grant: Grant,
    },
    /// Make a pod that can run the feed: none there can.
    CreatePod {
        /// The feed.
        feed: FeedUid,
    },
    /// Delete a pod that is gone, and owns nothing any more.
    DeletePod {
        /// The pod.
        pod: PodUid,
    },
}

/// Why something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The feed never had an owner, or nobody knows one.
    First,
    /// The owner is gone.
    Failed(Cause),
    /// The owner's bus was started anew.
    Restarted,
    /// The owner is drained.
    Drained,
    /// It was with another pod for a while, and the one that it belongs to can take it again.
    Home,
    /// The Lease was deleted, or written by somebody else.
    LeaseLost,
    /// Something that was begun is carried on.
    CarriedOn,
}

impl Why {
    /// Whether the owner before goes on until the new one is there.
    pub fn is_planned(self) -> bool {
        matches!(self, Self::Drained | Self::Home)
    }
}

/// Orders for one feed, to be carried out one after the other. If one fails, the rest is dropped and it is decided anew.
/// Wherever a leader dies between two of them, what the next one sees is enough to carry on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The feed; nothing where a pod is deleted.
    pub feed: Option<FeedUid>,
    /// Why.
    pub why: Why,
    /// What to do.
    pub orders: Vec<Order>,
}

/// How far a drain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// The pod.
    pub pod: PodUid,
    /// Feeds that it still owns or holds: none, and the pod may go.
    pub left: usize,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is to be done, the most urgent first.
    pub chains: Vec<Chain>,
    /// Pods that are drained.
    pub drains: Vec<Drain>,
    /// Feeds whose owner is gone and that nobody can take.
    pub homeless: Vec<FeedUid>,
}

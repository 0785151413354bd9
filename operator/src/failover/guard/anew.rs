//! When the operator's key changes, what it has signed is signed anew: in Leases, too, which outlive many keys.

use std::sync::Arc;

use millrace_fencing::{
    FeedUid, Grant,
    failover::{Chain, Seen},
};

use super::Guard;

/// Units at one time: ten thousand Leases are not written at once.
const AT_ONCE: usize = 8;

/// A unit whose grant is to be signed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anew {
    /// What its Leases say.
    pub grant: Grant,
    /// Their versions.
    pub version: Arc<str>,
}

impl Guard {
    /// The next units whose Leases are of a former key. One about which something else is under way has to wait, and one
    /// whose owner is not connected, since that is to have the new grant first.
    pub(super) fn anew(&mut self, seen: &Seen, chains: &[Chain]) -> Vec<Anew> {
        let free = AT_ONCE.saturating_sub(self.signing.len());
        let units = Arc::clone(&self.units);
        let old = units.all.iter().filter(|(_, unit)| {
            let leases = unit.members.iter().filter_map(|member| self.facts.leases.get(&member.lease));
            leases.into_iter().any(|read| read.is_old)
        });
        let rests = |uid: &FeedUid| {
            !self.signing.contains(uid)
                && !chains.iter().any(|chain| chain.feed.as_ref() == Some(uid))
                && Self::is_settled(uid, seen)
        };
        let one = |uid: &FeedUid| {
            let lease = seen.feeds.get(uid)?.lease.as_ref()?;
            let server = self.servers.get(&lease.holder.pod)?;
            let there = server.connected && server.holder == lease.holder;
            let grant = Grant { feed: uid.clone(), holder: lease.holder.clone(), epoch: lease.epoch };
            there.then(|| Anew { grant, version: lease.version.clone() })
        };
        let next = old.filter(|(uid, _)| rests(uid)).filter_map(|(uid, _)| one(uid)).take(free);
        let next: Vec<Anew> = next.collect();
        self.signing.extend(next.iter().map(|anew| anew.grant.feed.clone()));
        next
    }

    /// A unit's Leases were signed anew, or could not be.
    pub fn sealed_anew(&mut self, unit: &FeedUid) {
        self.signing.remove(unit);
    }
}

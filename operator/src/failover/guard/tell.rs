//! What media pods are told of who owns what.

use std::{collections::BTreeMap, sync::Arc};

use millrace_fencing::{
    FeedUid, Grant, Holder, PodUid,
    failover::{LeaseSeen, Seen},
};
use millrace_report::message::{Fence, Ownership};

use super::Guard;
use crate::failover::{seal::Seals, units::Units};

impl Guard {
    /// What pods own by their Leases is known before the first of them is told anything.
    pub(super) fn open_books(&mut self, seen: &Seen) {
        // A new leader sees pods before it knows what there is to own: their books would stay empty.
        if self.units.all.is_empty() {
            return;
        }
        let mut owned: BTreeMap<&Holder, Vec<(&FeedUid, &LeaseSeen)>> = BTreeMap::new();
        for (uid, feed) in &seen.feeds {
            if let Some(lease) = feed.lease.as_ref().filter(|lease| lease.sealed) {
                owned.entry(&lease.holder).or_default().push((uid, lease));
            }
        }
        self.books.retain(|pod| seen.pods.contains_key(pod));
        let first = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
        for (pod, server) in &self.servers {
            let Some(boot) = self.liveness.boot(pod).filter(|boot| **boot == server.holder.boot) else {
                continue;
            };
            let holder = Holder { pod: pod.clone(), boot: boot.clone() };
            let leases = owned.get(&holder).map_or(&[][..], Vec::as_slice);
            self.books.open(&holder, first, || {
                let grants = leases.iter().flat_map(|(uid, lease)| {
                    let grant = Grant { feed: (*uid).clone(), holder: holder.clone(), epoch: lease.epoch };
                    self.units.expand(&grant)
                });
                grants.collect()
            });
        }
    }

    pub(super) fn tables(&mut self, seals: &Seals) -> Vec<(PodUid, Vec<Fence>)> {
        let Some(failover) = &self.failover else { return Vec::new() };
        let new: Vec<PodUid> = self
            .fronts
            .iter()
            .filter(|(_, front)| front.connected && !front.has_table)
            .map(|(uid, _)| uid.clone())
            .collect();
        if new.is_empty() {
            return Vec::new();
        }
        let table: Vec<Fence> = failover
            .table()
            .iter()
            .flat_map(|(grant, frames)| self.units.fences(grant, *frames, seals))
            .collect();
        for uid in &new {
            if let Some(front) = self.fronts.get_mut(uid) {
                front.has_table = true;
            }
        }
        new.into_iter().map(|uid| (uid, table.clone())).collect()
    }

    /// A grant is pushed to its holder: all that it owns now.
    pub fn push(&mut self, grant: &Grant, seals: &Seals) -> Option<Arc<Ownership>> {
        self.books.grant(&grant.holder, self.units.expand(grant));
        self.ownership(&grant.holder, seals)
    }

    /// A former owner is told of a grant.
    pub fn revoke(&mut self, to: &Holder, grant: &Grant, seals: &Seals) -> Option<Arc<Ownership>> {
        self.books.revoke(to, self.units.expand(grant));
        self.ownership(to, seals)
    }

    /// An owner is cleared.
    pub fn clear(&mut self, grant: &Grant, seals: &Seals) -> Option<Arc<Ownership>> {
        self.books.clear(&grant.holder, self.units.expand(grant));
        self.ownership(&grant.holder, seals)
    }

    fn ownership(&self, holder: &Holder, seals: &Seals) -> Option<Arc<Ownership>> {
        self.books.ownership(holder, &self.units, seals)
    }

    /// What a pod that has connected again is told, if it is the same run of it.
    pub fn again(&self, uid: &str, seals: &Seals) -> Option<Arc<Ownership>> {
        let server = self.servers.get(&PodUid::new(uid).ok()?)?;
        self.ownership(&server.holder, seals)
    }

    /// What a pod owns by now, signed with new keys.
    pub fn sign_anew(&mut self, holder: &Holder, seals: &Seals) -> Option<Arc<Ownership>> {
        self.books.turn_of(holder);
        self.ownership(holder, seals)
    }

    /// What everybody owns, signed with new keys.
    pub fn signed_anew(&mut self, seals: &Seals) -> Vec<(PodUid, Arc<Ownership>)> {
        self.books.turn();
        let one = |holder: Holder| Some((holder.pod.clone(), self.ownership(&holder, seals)?));
        self.books.holders().into_iter().filter_map(one).collect()
    }
}

impl Units {
    /// The grants of a unit's members.
    pub fn expand(&self, grant: &Grant) -> Vec<Grant> {
        let members = self.all.get(&grant.feed).into_iter().flat_map(|unit| &unit.members);
        members.map(|member| Grant { feed: member.uid.clone(), ..grant.clone() }).collect()
    }

    /// What balancers are told of a unit's grant.
    pub fn fences(&self, grant: &Grant, frames: bool, seals: &Seals) -> Vec<Fence> {
        let one = |grant: Grant| Fence { feed: grant.feed.to_string(), grant: seals.sign(&grant), frames };
        self.expand(grant).into_iter().map(one).collect()
    }
}

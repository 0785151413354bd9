//! What follows a change of owner: it is carried on from whatever point it has reached.

use super::{
    memory::Memory,
    order::{Chain, Order, Why},
    pass::Pass,
    seen::LeaseSeen,
};
use crate::{grant::Grant, id::FeedUid, time::Time};

pub(super) fn settle(
    pass: &Pass<'_>,
    uid: &FeedUid,
    lease: &LeaseSeen,
    memory: &mut Memory,
) -> Option<Chain> {
    let grant = Grant { feed: uid.clone(), holder: lease.holder.clone(), epoch: lease.epoch };
    let mut orders = Vec::new();
    fence(pass, &grant, memory, &mut orders);
    repeat(pass, &grant, memory, &mut orders);
    (!orders.is_empty()).then(|| Chain { feed: Some(uid.clone()), why: Why::CarriedOn, orders })
}

/// The old owner is cut off when the new one is everywhere, when there is no old one, or when time is up.
fn fence(pass: &Pass<'_>, grant: &Grant, memory: &mut Memory, orders: &mut Vec<Order>) {
    if memory.fenced >= Some(grant.epoch) {
        return;
    }
    let late = pass.now.since(memory.since) >= pass.settings.move_deadline;
    let older = pass.older(grant);
    if !older.is_empty() && !late && !pass.seen.known_everywhere(grant) {
        return;
    }
    memory.fenced = Some(grant.epoch);
    memory.floor = memory.floor.max(Some(grant.epoch));
    orders.push(Order::Fence { grant: grant.clone(), frames: true });
    orders.extend(older.into_iter().map(|to| Order::Revoke { to, grant: grant.clone() }));
}

/// What must arrive is sent again each beat until a beat of the pod shows that it did.
fn repeat(pass: &Pass<'_>, grant: &Grant, memory: &mut Memory, orders: &mut Vec<Order>) {
    let due = |sent: Option<Time>| sent.is_none_or(|sent| pass.now.since(sent) >= pass.settings.beat);
    let fenced = memory.fenced >= Some(grant.epoch);
    let mut again = Vec::new();
    if fenced && orders.is_empty() {
        again.extend(pass.older(grant).into_iter().map(|to| Order::Revoke { to, grant: grant.clone() }));
    }
    let pod =
        pass.seen.pods.get(&grant.holder.pod).filter(|pod| pod.boot.as_ref() == Some(&grant.holder.boot));
    let holding = pod.and_then(|pod| pod.holding(&grant.feed)).filter(|h| h.epoch == grant.epoch);
    if pod.is_some() && holding.is_none() {
        again.push(Order::Configure { pod: grant.holder.pod.clone(), feed: grant.feed.clone() });
        again.push(Order::Push { grant: grant.clone() });
    }
    if !again.is_empty() && due(memory.pushed) {
        memory.pushed = Some(pass.now);
        orders.append(&mut again);
    }
    if let Some(holding) = holding {
        memory.cleared |= holding.cleared;
        if fenced && !holding.cleared && due(memory.told) && may_clear(pass, grant, memory) {
            memory.told = Some(pass.now);
            orders.push(Order::Clear { grant: grant.clone() });
        }
    }
}

/// All that came before have stopped; or at least half of the balancers, and this leader, have not vouched for them for
/// so long that they must have.
fn may_clear(pass: &Pass<'_>, grant: &Grant, memory: &mut Memory) -> bool {
    if memory.quorum.is_none() && pass.seen.floor_known(&grant.feed, grant.epoch) {
        memory.quorum = Some(pass.now);
    }
    let stopped = memory.before.as_ref().is_some_and(|before| {
        let mut others = before.iter().filter(|(holder, _)| **holder != grant.holder);
        others.all(|(holder, epoch)| pass.seen.stopped(&grant.feed, holder, *epoch))
    });
    stopped || memory.quorum.is_some_and(|since| pass.now.since(since) >= pass.settings.outlast())
}

//! Carries out orders, one after the other; chains of different feeds side by side.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use millrace_fencing::{
    Epoch, FeedUid, Grant, PodUid,
    failover::{Chain, Order, Why},
    liveness::Cause,
};
use millrace_report::message::{Edges, Fence, Ownership, Vouched};
use tokio::time;
use tracing::info;

use super::{
    facts::Facts,
    guard::Anew,
    guards::Guards,
    seal::{self, Seals},
    seen::ABSENT,
    units::{Kind, Member, Unit},
};
use crate::key::ClusterKey;

/// How long a pod's configuration may take to follow a Lease.
const CONFIGURED: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(5);

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was carried out.
    Yes,
    /// Things are not as they were when it was decided: it is decided anew.
    Stale,
    /// It could not be carried out, which was said.
    Failed,
}

impl From<bool> for Done {
    fn from(done: bool) -> Self {
        if done { Self::Yes } else { Self::Stale }
    }
}

/// What carries out single steps: the API server, and the status connections.
pub trait Hands: Send + Sync + 'static {
    /// Whether this replica leads.
    fn leads(&self) -> bool;
    /// What time it is, by which keys change.
    fn wall(&self) -> Timestamp;
    /// What the watches have of a Cluster; nothing while they have not seen everything once.
    fn facts(&self, cluster: &ClusterKey, seals: &Seals) -> Option<Facts>;
    /// Sets `Feed.status.epoch` if it is still `from`. What was written is seen by [`facts`](Self::facts) then.
    fn reserve(
        &self,
        cluster: &ClusterKey,
        feed: &Member,
        from: Option<Epoch>,
        to: Epoch,
    ) -> impl Future<Output = Done> + Send;
    /// Writes a Lease over the one of this version, or anew. What was written is seen then, as above.
    fn write_lease(
        &self,
        cluster: &ClusterKey,
        lease: Lease,
        version: Option<&str>,
    ) -> impl Future<Output = Done> + Send;
    /// Looks at the Cluster's objects: a pod is missing, or is to run something else.
    fn reconcile(&self, cluster: &ClusterKey);
    /// Deletes a pod; whether it is gone, or about to be.
    fn delete_pod(&self, cluster: &ClusterKey, pod: &PodUid, name: &str)
    -> impl Future<Output = bool> + Send;
    /// Tells a server pod what it owns.
    fn own(&self, pod: &PodUid, ownership: Arc<Ownership>);
    /// Tells a balancer of epochs.
    fn fence(&self, balancer: &PodUid, fences: Vec<Fence>);
    /// Answers a beat.
    fn vouch(&self, pod: &PodUid, vouched: Vouched);
    /// Tells a media pod where balancers are.
    fn edges(&self, pod: &PodUid, edges: Arc<Edges>);
    /// A unit has another owner.
    fn moved(&self, cluster: &ClusterKey, moved: Moved) -> impl Future<Output = ()> + Send;
    /// What was found at a look at one Cluster.
    fn found(&self, cluster: &ClusterKey, found: Found);
}

/// A unit that has another owner.
#[derive(Clone, Debug)]
pub struct Moved {
    /// All that have the new owner.
    pub members: Vec<Member>,
    /// The name of the pod that had it, if that is known.
    pub from: Option<String>,
    /// The name of the pod that has it.
    pub to: String,
    /// The epoch.
    pub epoch: Epoch,
    /// Why.
    pub why: Why,
    /// From when the old one was heard last.
    pub took: Option<Duration>,
}

impl Moved {
    /// Why, in a word.
    pub const fn cause(&self) -> &'static str {
        match self.why {
            Why::First => "First",
            Why::Failed(Cause::Terminated) => "Terminated",
            Why::Failed(Cause::Gone) => "Gone",
            Why::Failed(Cause::Reset) => "Reset",
            Why::Failed(Cause::Silence) => "Silence",
            Why::Restarted => "Restarted",
            Why::Drained => "Drained",
            Why::Home => "Home",
            Why::LeaseLost => "LeaseLost",
            Why::CarriedOn => "CarriedOn",
        }
    }
}

/// What is to be said of a Cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Silent pods, and of how many, where nothing is failed over for their silence.
    pub paused: Option<(usize, usize)>,
    /// Pods that are being emptied, by UID: how much they still have, and for how many seconds they have been.
    pub drains: std::collections::BTreeMap<PodUid, (usize, u64)>,
    /// Those among them that wait on cordoned nodes because nobody can take what they have.
    pub waits: std::collections::BTreeSet<PodUid>,
    /// Pods that are not heard.
    pub silent: usize,
    /// What pods hold or own, by the slot, where it is not at home: their configuration has it. Members, where their
    /// units are not known yet.
    pub guests: std::collections::BTreeSet<(FeedUid, String)>,
    /// Leases that count.
    pub leases: usize,
}

/// Carries out a chain, and says how it ended. What failed is not decided about again for a while.
pub(super) async fn chain<H: Hands>(guards: &Guards<H>, cluster: &ClusterKey, chain: Chain) {
    let Chain { feed, why, orders } = chain;
    let before = feed.as_ref().and_then(|feed| guards.with(cluster, |guard| guard.owner(feed)).flatten());
    // Without a new number it is the same owner, in the same epoch.
    let again = !orders.iter().any(|order| matches!(order, Order::Reserve { .. }));
    let (mut done, mut written) = (Done::Yes, None);
    for order in orders {
        if !guards.hands().leads() {
            done = Done::Stale;
            break;
        }
        if let Order::WriteLease { grant, .. } = &order {
            written = Some(grant.clone());
        }
        done = one(guards, cluster, order).await;
        if done != Done::Yes {
            break;
        }
    }
    if let Some(feed) = &feed {
        let pause = guards.with(cluster, |guard| match done {
            Done::Yes if written.is_none() => Duration::ZERO,
            done => guard.tried(feed, done),
        });
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            time::sleep(pause).await;
        }
        guards.with(cluster, |guard| guard.finished(feed, done == Done::Yes));
    }
    guards.soon(cluster);
    let Some(grant) = written.filter(|_| done == Done::Yes) else { return };
    let moved = guards.with(cluster, |guard| guard.moved(&grant, before.as_ref(), why, guards.now()));
    let Some(moved) = moved.flatten() else { return };
    if again {
        let unit = moved.members.first().map(|it| it.name.as_str());
        info!(%cluster, unit, pod = moved.to, epoch = %moved.epoch, "its Lease is there again");
        return;
    }
    guards.hands().moved(cluster, moved).await;
}

async fn one<H: Hands>(guards: &Guards<H>, cluster: &ClusterKey, order: Order) -> Done {
    let hands = guards.hands();
    let unit = |feed| guards.with(cluster, |guard| guard.units().all.get(feed).cloned()).flatten();
    match order {
        Order::Reserve { feed, from, epoch } => match unit(&feed) {
            Some(unit) => reserve(guards, cluster, &unit, from, epoch).await,
            None => Done::Stale,
        },
        Order::WriteLease { grant, version } => match unit(&grant.feed) {
            Some(unit) => write(guards, cluster, &unit, &grant, version.as_deref()).await,
            None => Done::Stale,
        },
        Order::Configure { pod, feed } => {
            let slot =
                guards.with(cluster, |guard| guard.pod_facts(&pod).map(|it| it.slot.clone())).flatten();
            let (Some(unit), Some(slot)) = (unit(&feed), slot) else { return Done::Stale };
            configured(guards, cluster, &slot, &unit).await.into()
        }
        Order::Push { grant } => {
            let seals = guards.seals();
            let all = guards.with(cluster, |guard| guard.push(&grant, &seals)).flatten();
            tell(hands, &grant.holder.pod, all)
        }
        Order::Revoke { to, grant } => {
            let seals = guards.seals();
            let all = guards.with(cluster, |guard| guard.revoke(&to, &grant, &seals)).flatten();
            tell(hands, &to.pod, all)
        }
        Order::Clear { grant } => {
            let seals = guards.seals();
            let all = guards.with(cluster, |guard| guard.clear(&grant, &seals)).flatten();
            tell(hands, &grant.holder.pod, all)
        }
        Order::Fence { grant, frames } => {
            let seals = guards.seals();
            let told = guards
                .with(cluster, |guard| (guard.units().fences(&grant, frames, &seals), guard.connected().1));
            let Some((fences, fronts)) = told else { return Done::Stale };
            for front in fronts {
                hands.fence(&front, fences.clone());
            }
            Done::Yes
        }
        Order::CreatePod { .. } => {
            hands.reconcile(cluster);
            Done::Yes
        }
        Order::DeletePod { pod } => {
            let name = guards.with(cluster, |guard| guard.name_of(&pod)).unwrap_or_default();
            (!name.is_empty() && hands.delete_pod(cluster, &pod, &name).await).into()
        }
    }
}

/// A unit's grant is signed with the key that is in use now: first its owner has it, then its Leases. A leader that dies
/// in between leaves the Leases as they were, and the next one does both.
pub(super) async fn seal_anew<H: Hands>(guards: &Guards<H>, cluster: &ClusterKey, anew: Anew) {
    let Anew { grant, version } = anew;
    let done = if guards.hands().leads() {
        let seals = guards.seals();
        let all = guards.with(cluster, |guard| guard.sign_anew(&grant.holder, &seals)).flatten();
        tell(guards.hands(), &grant.holder.pod, all);
        one(guards, cluster, Order::WriteLease { grant: grant.clone(), version: Some(version) }).await
    } else {
        Done::Stale
    };
    let pause = guards.with(cluster, |guard| guard.tried(&grant.feed, done)).unwrap_or_default();
    if !pause.is_zero() {
        time::sleep(pause).await;
    }
    guards.with(cluster, |guard| guard.sealed_anew(&grant.feed));
    guards.soon(cluster);
}

/// Waits until the pods of a slot are to run a unit: the placement follows the Lease.
async fn configured<H: Hands>(guards: &Guards<H>, cluster: &ClusterKey, slot: &str, unit: &Unit) -> bool {
    let until = time::Instant::now() + CONFIGURED;
    let mut asked = false;
    loop {
        if guards.with(cluster, |guard| guard.is_placed(slot, unit)).unwrap_or(false) {
            return true;
        }
        if time::Instant::now() >= until {
            return false;
        }
        if !std::mem::replace(&mut asked, true) {
            guards.hands().reconcile(cluster);
        }
        time::sleep(POLL).await;
    }
}

/// A pod that is not there now is told when it comes, or the next owner is.
fn tell<H: Hands>(hands: &H, pod: &PodUid, all: Option<Arc<Ownership>>) -> Done {
    if let Some(all) = all {
        hands.own(pod, all);
    }
    Done::Yes
}

/// One member after the other: of two leaders that want the same number, one fails at the first that both have.
async fn reserve<H: Hands>(
    guards: &Guards<H>,
    cluster: &ClusterKey,
    unit: &Unit,
    from: Option<Epoch>,
    epoch: Epoch,
) -> Done {
    for member in unit.members.iter().filter(|member| member.kind == Kind::Feed) {
        let known = guards.with(cluster, |guard| guard.facts().statuses.get(&member.uid).copied()).flatten();
        // A newer one than was decided about.
        if known > from {
            return Done::Stale;
        }
        let done = guards.hands().reserve(cluster, member, known, epoch).await;
        if done != Done::Yes {
            return done;
        }
    }
    Done::Yes
}

async fn write<H: Hands>(
    guards: &Guards<H>,
    cluster: &ClusterKey,
    unit: &Unit,
    grant: &Grant,
    version: Option<&str>,
) -> Done {
    let versions: Vec<Option<&str>> = match version {
        None => vec![None; unit.members.len()],
        Some(all) => all.split(',').map(|one| (one != ABSENT).then_some(one)).collect(),
    };
    // The unit has others in it by now.
    if versions.len() != unit.members.len() {
        return Done::Stale;
    }
    let pod = &grant.holder.pod;
    let facts = guards.with(cluster, |guard| guard.pod_facts(pod).cloned()).flatten();
    let Some(facts) = facts else { return Done::Stale };
    let seals = guards.seals();
    for (member, version) in unit.members.iter().zip(versions) {
        let grant = Grant { feed: member.uid.clone(), ..grant.clone() };
        let before = guards.with(cluster, |guard| guard.facts().leases.get(&member.lease).cloned()).flatten();
        let place = (facts.slot.as_str(), facts.name.as_str());
        let lease = seal::lease(cluster, member, place, &grant, before.as_ref(), &seals);
        let done = guards.hands().write_lease(cluster, lease, version).await;
        if done != Done::Yes {
            return done;
        }
    }
    Done::Yes
}

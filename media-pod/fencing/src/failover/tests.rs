use std::time::Duration;

use super::*;
use crate::{
    id::{BalancerId, PodUid},
    liveness::{Cause, Verdict},
};

/// What there is, and what becomes of orders: the API server keeps what it is told, pods and balancers obey at once.
struct Bench {
    failover: Failover,
    seen: Seen,
    now: Time,
}

fn feed(n: usize) -> FeedUid {
    format!("feed-{n:03}").parse().unwrap()
}

fn pod(name: &str) -> PodUid {
    name.parse().unwrap()
}

fn epoch(n: u64) -> Epoch {
    Epoch::new(n).unwrap()
}

impl Bench {
    fn new(feeds: usize, pods: &[&str]) -> Self {
        let candidates: Vec<Candidate> =
            pods.iter().map(|name| Candidate { pod: pod(name), warm: false }).collect();
        let one = |n| (feed(n), FeedSeen { candidates: candidates.clone(), ..FeedSeen::default() });
        let alive = PodSeen {
            verdict: Verdict::Alive,
            boot: Some("1".parse().unwrap()),
            draining: false,
            holdings: Vec::new(),
            over: BTreeMap::new(),
        };
        let balancer = |name: &str| {
            let name: BalancerId = name.parse().unwrap();
            (name, BalancerSeen { fresh: true, ..BalancerSeen::default() })
        };
        let seen = Seen {
            feeds: (0..feeds).map(one).collect(),
            pods: pods.iter().map(|name| (pod(name), alive.clone())).collect(),
            balancers: ["a", "b"].into_iter().map(balancer).collect(),
            listening: false,
        };
        Self { failover: Failover::new(Settings::default()), seen, now: Time::from_millis(1_000_000) }
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    fn decide(&mut self) -> Decision {
        self.failover.decide(&self.seen, self.now)
    }

    /// Decides and obeys until nothing is left to do; every order.
    fn settle(&mut self) -> Vec<Order> {
        let mut all = Vec::new();
        for _ in 0..20 {
            let chains = self.decide().chains;
            if chains.is_empty() {
                break;
            }
            for chain in chains {
                chain.orders.iter().for_each(|order| self.obey(order));
                if let Some(feed) = &chain.feed {
                    self.failover.finished(feed, true);
                }
                all.extend(chain.orders);
            }
        }
        all
    }

    fn obey(&mut self, order: &Order) {
        match order.clone() {
            Order::Reserve { feed, from, epoch } => {
                let feed = self.seen.feeds.get_mut(&feed).unwrap();
                assert_eq!(feed.status, from);
                feed.status = Some(epoch);
            }
            Order::WriteLease { grant, .. } => {
                let Grant { feed, holder, epoch } = grant;
                let version = epoch.to_string().into();
                self.seen.feeds.get_mut(&feed).unwrap().lease =
                    Some(LeaseSeen { holder, epoch, version, sealed: true });
            }
            Order::Push { grant } => {
                let Some(pod) = self.seen.pods.get_mut(&grant.holder.pod) else { return };
                pod.holdings.retain(|holding| holding.feed != grant.feed);
                let Grant { feed, holder, epoch } = grant;
                pod.holdings.push(Holding { feed: feed.clone(), epoch, cleared: false });
                for balancer in self.seen.balancers.values_mut() {
                    balancer.newest.insert(feed.clone(), (epoch, holder.clone()));
                }
            }
            Order::Fence { grant, .. } => {
                for balancer in self.seen.balancers.values_mut() {
                    balancer.floors.insert(grant.feed.clone(), grant.epoch);
                }
            }
            Order::Revoke { to, grant } => {
                let pod = self.seen.pods.get_mut(&to.pod).unwrap();
                pod.holdings.retain(|holding| holding.feed != grant.feed);
                pod.over.insert(grant.feed, grant.epoch);
            }
            Order::Clear { grant } => {
                let pod = self.seen.pods.get_mut(&grant.holder.pod).unwrap();
                let of_it = pod.holdings.iter_mut().filter(|holding| holding.feed == grant.feed);
                of_it.for_each(|holding| holding.cleared = true);
            }
            Order::Configure { .. } | Order::CreatePod { .. } => {}
            Order::DeletePod { pod } => {
                self.seen.pods.remove(&pod);
            }
        }
    }

    fn owner(&self, n: usize) -> (String, u64) {
        let lease = self.seen.feeds[&feed(n)].lease.clone().unwrap();
        (lease.holder.to_string(), lease.epoch.get())
    }

    fn cleared(&self, name: &str) -> bool {
        self.seen.pods[&pod(name)].holdings.iter().all(|holding| holding.cleared)
    }

    fn pod(&mut self, name: &str) -> &mut PodSeen {
        self.seen.pods.get_mut(&pod(name)).unwrap()
    }
}

#[test]
fn a_first_owner_is_cleared_at_once_and_feeds_are_spread() {
    let mut bench = Bench::new(4, &["p", "q"]);
    let orders = bench.settle();
    assert!(matches!(orders[0], Order::Reserve { from: None, epoch: Epoch::FIRST, .. }), "{orders:?}");
    let on_p = (0..4).filter(|n| bench.owner(*n).0 == "p_1").count();
    assert_eq!(on_p, 2);
    assert!(bench.cleared("p") && bench.cleared("q"));
    assert!(bench.decide().chains.is_empty(), "nothing is left to do");
}

#[test]
fn the_standby_goes_before_all_others() {
    let mut bench = Bench::new(1, &["p", "q", "r"]);
    bench.settle();
    bench.seen.feeds.get_mut(&feed(0)).unwrap().candidates[2].warm = true;
    bench.pod("p").verdict = Verdict::Dead(Cause::Silence);
    let decision = bench.decide();
    assert_eq!(decision.chains[0].why, Why::Failed(Cause::Silence));
    assert!(
        matches!(&decision.chains[0].orders[3], Order::Push { grant } if grant.holder.pod.as_str() == "r")
    );
}

#[test]
fn exclusive_work_waits_until_the_old_owner_is_known_to_have_stopped_or_must_have() {
    for known in [true, false] {
        let mut bench = Bench::new(1, &["p", "q"]);
        bench.settle();
        bench.pod("p").verdict = Verdict::Dead(if known { Cause::Terminated } else { Cause::Silence });
        // A dead pod's object is deleted in the end; that alone proves nothing.
        bench.settle();
        assert_eq!(bench.owner(0), ("q_1".into(), 2));
        assert_eq!(bench.cleared("q"), known);
        bench.pass(10_100);
        bench.settle();
        assert_eq!(bench.cleared("q"), known, "clocks may be slow");
        bench.pass(200);
        bench.settle();
        assert!(bench.cleared("q"));
    }
}

#[test]
fn a_bus_that_started_anew_has_a_new_epoch_and_goes_on_at_once() {
    let mut bench = Bench::new(1, &["p", "q"]);
    bench.settle();
    bench.pod("p").boot = Some("2".parse().unwrap());
    bench.pod("p").holdings.clear();
    bench.settle();
    assert_eq!(bench.owner(0), ("p_2".into(), 2));
    assert!(bench.cleared("p"), "its former run cannot be at it any more");
}

#[test]
fn silence_that_is_not_believed_changes_nothing() {
    let mut bench = Bench::new(2, &["p", "q"]);
    bench.settle();
    for verdict in [Verdict::Silent, Verdict::Paused] {
        bench.pod("p").verdict = verdict;
        assert!(bench.decide().chains.is_empty());
    }
    bench.pod("p").verdict = Verdict::Dead(Cause::Gone);
    bench.seen.listening = true;
    assert!(bench.decide().chains.is_empty());
}

#[test]
fn a_drain_makes_before_it_breaks_and_not_all_at_once() {
    let mut bench = Bench::new(12, &["p", "q"]);
    bench.pod("q").draining = true;
    bench.settle();
    assert_eq!(bench.owner(0).0, "p_1");
    bench.pod("q").draining = false;
    bench.pod("p").draining = true;
    let decision = bench.decide();
    assert_eq!(decision.drains, [Drain { pod: pod("p"), left: 12 }]);
    assert_eq!(decision.chains.len(), Settings::default().moves_at_once);
    let first = decision.chains[0].clone();
    for order in &first.orders[..3] {
        bench.obey(order);
    }
    bench.failover.finished(&feed(0), true);
    let fenced = |decision: &Decision| {
        decision
            .chains
            .iter()
            .flat_map(|c| &c.orders)
            .any(|o| matches!(o, Order::Fence { .. } | Order::Revoke { .. }))
    };
    assert!(!fenced(&bench.decide()), "the new owner is not there yet");
    let old = bench.seen.pods[&pod("p")].holdings.clone();
    assert!(
        bench.failover.vouch(&old).contains(&(feed(0), epoch(1))),
        "the old one goes on, exclusive work too"
    );
    bench.obey(&first.orders[3]);
    bench.pass(10);
    assert!(fenced(&bench.decide()), "now it is");
    assert!(!bench.failover.vouch(&old).contains(&(feed(0), epoch(1))));
    (1..12).for_each(|n| bench.failover.finished(&feed(n), false));
    bench.failover.finished(&feed(0), true);
    for _ in 0..20 {
        bench.pass(1000);
        bench.settle();
    }
    assert!((0..12).all(|n| bench.owner(n).0 == "q_1") && bench.cleared("q"));
    assert_eq!(bench.decide().drains, [Drain { pod: pod("p"), left: 0 }]);
}

#[test]
fn a_drain_goes_on_when_its_time_is_up() {
    let mut bench = Bench::new(1, &["p", "q"]);
    bench.settle();
    bench.pod("p").draining = true;
    let chain = bench.decide().chains.remove(0);
    chain.orders[..3].iter().for_each(|order| bench.obey(order));
    bench.failover.finished(&feed(0), true);
    bench.pass(2000);
    bench.decide();
    bench.failover.finished(&feed(0), true);
    bench.pass(30_000);
    let orders: Vec<Order> = bench.decide().chains.into_iter().flat_map(|c| c.orders).collect();
    assert!(orders.iter().any(|o| matches!(o, Order::Fence { frames: true, .. })), "{orders:?}");
}

#[test]
fn a_deleted_lease_is_written_again_for_who_is_known_to_own_the_feed() {
    let mut bench = Bench::new(1, &["p", "q"]);
    bench.settle();
    bench.seen.feeds.get_mut(&feed(0)).unwrap().lease = None;
    bench.failover = Failover::new(Settings::default());
    let orders = bench.settle();
    assert!(matches!(&orders[0], Order::WriteLease { grant, version: None } if grant.epoch == Epoch::FIRST));
    assert_eq!(bench.owner(0), ("p_1".into(), 1));
}

#[test]
fn a_lease_that_somebody_else_wrote_counts_for_nothing() {
    let mut bench = Bench::new(1, &["p", "q"]);
    bench.settle();
    let lease = bench.seen.feeds.get_mut(&feed(0)).unwrap().lease.as_mut().unwrap();
    lease.holder = "q_1".parse().unwrap();
    lease.sealed = false;
    bench.settle();
    assert_eq!(bench.owner(0), ("p_1".into(), 1));
}

#[test]
fn wherever_a_leader_dies_the_next_one_carries_on() {
    for dies_after in 0..=4 {
        let mut bench = Bench::new(1, &["p", "q"]);
        bench.settle();
        bench.pod("p").verdict = Verdict::Dead(Cause::Terminated);
        let chain = bench.decide().chains.remove(0);
        assert_eq!(chain.orders.len(), 4);
        chain.orders[..dies_after].iter().for_each(|order| bench.obey(order));
        bench.failover = Failover::new(Settings::default());
        bench.settle();
        let (holder, last) = bench.owner(0);
        assert_eq!(holder, "q_1");
        // A number that was reserved and not given away is passed over.
        assert_eq!(last, if dies_after == 1 { 3 } else { 2 });
        assert_eq!(bench.seen.pods[&pod("q")].holdings[0].epoch, epoch(last));
        bench.pass(1000);
        bench.settle();
        bench.pass(Settings::default().outlast().as_millis() as u64);
        bench.settle();
        assert!(bench.cleared("q"), "after order {dies_after}");
    }
}

#[test]
fn a_new_leader_vouches_for_nobody_whom_the_old_one_may_have_cut_off() {
    let mut bench = Bench::new(1, &["p", "q"]);
    bench.settle();
    let old = bench.seen.pods[&pod("p")].holdings.clone();
    bench.pod("p").verdict = Verdict::Dead(Cause::Silence);
    bench.settle();
    bench.failover = Failover::new(Settings::default());
    bench.seen.listening = true;
    bench.decide();
    assert!(bench.failover.vouch(&old).is_empty());
    assert_eq!(bench.failover.vouch(&bench.seen.pods[&pod("q")].holdings), [(feed(0), epoch(2))]);
}

#[test]
fn failovers_have_a_rate() {
    let mut bench = Bench::new(120, &["p", "q"]);
    let begun = bench.decide().chains.len();
    assert_eq!(begun, 50);
    bench.pass(500);
    assert_eq!(bench.decide().chains.len(), 25);
}

#[test]
fn a_pod_is_asked_for_where_none_can_take_a_feed() {
    let mut bench = Bench::new(1, &["p"]);
    bench.settle();
    bench.pod("p").verdict = Verdict::Dead(Cause::Silence);
    let decision = bench.decide();
    assert_eq!(decision.homeless, [feed(0)]);
    assert_eq!(decision.chains[0].orders, [Order::CreatePod { feed: feed(0) }]);
    bench.failover.finished(&feed(0), true);
    bench.pass(1000);
    assert!(bench.decide().chains.is_empty(), "once");

    let mut bench = Bench::new(1, &["p"]);
    bench.settle();
    bench.pod("p").verdict = Verdict::Dead(Cause::Reset);
    assert!(bench.decide().chains.is_empty(), "its bus is started anew where it is");
    bench.pass(3000);
    assert_eq!(bench.decide().chains.len(), 1);
}

#[test]
fn what_is_with_another_goes_home_when_home_can_take_it_and_not_before() {
    let mut bench = Bench::new(1, &["a", "b"]);
    bench.seen.feeds.get_mut(&feed(0)).unwrap().home = Some(pod("b"));
    bench.pod("b").boot = None;
    bench.settle();
    assert_eq!(bench.owner(0), ("a_1".to_owned(), 1));
    bench.pod("b").boot = Some("1".parse().unwrap());
    bench.pass(10);
    let decision = bench.decide();
    assert_eq!(decision.chains[0].why, Why::Home);
    decision.chains[0].orders.iter().for_each(|order| bench.obey(order));
    bench.failover.finished(&feed(0), true);
    bench.settle();
    assert_eq!(bench.owner(0), ("b_1".to_owned(), 2));
    assert_eq!(bench.pod("a").over[&feed(0)], epoch(2), "the old one was stopped");
}

#[test]
fn a_feed_whose_lease_is_lost_stays_with_the_pod_that_says_that_it_has_it() {
    let mut bench = Bench::new(1, &["a", "b"]);
    bench.settle();
    assert_eq!(bench.owner(0), ("a_1".to_owned(), 1));
    bench.seen.balancers.clear();
    let known = bench.seen.feeds.get_mut(&feed(0)).unwrap();
    known.candidates.reverse();
    known.lease = None;
    bench.pass(10);
    bench.settle();
    assert_eq!(bench.owner(0), ("a_1".to_owned(), 2));
}

use super::*;

struct Bench {
    liveness: Liveness,
    now: Time,
}

fn holder(pod: &str, boot: &str) -> Holder {
    Holder { pod: pod.parse().unwrap(), boot: boot.parse().unwrap() }
}

impl Bench {
    /// A leader that hears pods on nodes of their own, and two balancers that do.
    fn new(pods: &[&str]) -> Self {
        let mut bench =
            Self { liveness: Liveness::new(Settings::default()), now: Time::from_millis(100_000) };
        bench.liveness.lead(bench.now - Duration::from_mins(1));
        for pod in pods {
            let node = format!("node-of-{pod}");
            bench.liveness.pod(&pod.parse().unwrap(), Some(&node), Kubernetes::Present, bench.now);
        }
        bench.beat(pods);
        bench.report(pods.iter().map(|pod| (*pod, Link::Up(Duration::ZERO))).collect());
        bench
    }

    fn beat(&mut self, pods: &[&str]) {
        for pod in pods {
            self.liveness.beat(&holder(pod, "1"), 1, self.now);
        }
    }

    fn report(&mut self, links: Vec<(&str, Link)>) {
        let links: BTreeMap<PodUid, Link> =
            links.into_iter().map(|(pod, link)| (pod.parse().unwrap(), link)).collect();
        for name in ["a", "b"] {
            self.liveness.report(&name.parse().unwrap(), links.clone(), self.now);
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    fn verdict(&mut self, pod: &str) -> Verdict {
        self.liveness.judge(self.now).verdicts[&pod.parse::<PodUid>().unwrap()]
    }
}

#[test]
fn silence_needs_a_second_witness() {
    let mut bench = Bench::new(&["p", "q", "r", "s"]);
    bench.pass(2900);
    bench.beat(&["q", "r", "s"]);
    assert_eq!(bench.verdict("p"), Verdict::Alive);
    bench.pass(100);
    assert_eq!(bench.verdict("p"), Verdict::Silent, "the balancers' last word is old");
    bench.report(vec![("p", Link::Up(Duration::from_secs(1)))]);
    assert_eq!(bench.verdict("p"), Verdict::Silent, "the balancers hear it");
    bench.report(vec![("p", Link::Up(Duration::from_secs(3)))]);
    assert_eq!(bench.verdict("p"), Verdict::Dead(Cause::Silence));
    assert_eq!(bench.verdict("q"), Verdict::Alive);
}

#[test]
fn one_balancer_that_hears_it_or_too_few_that_speak_are_no_witness() {
    let mut bench = Bench::new(&["p", "q", "r", "s"]);
    bench.liveness.balancer(&"c".parse().unwrap());
    bench.pass(3000);
    bench.beat(&["q", "r", "s"]);
    let report = |bench: &mut Bench, name: &str, link| {
        let links = BTreeMap::from([("p".parse().unwrap(), link)]);
        bench.liveness.report(&name.parse().unwrap(), links, bench.now);
    };
    report(&mut bench, "a", Link::Lost);
    assert_eq!(bench.verdict("p"), Verdict::Silent, "one of three");
    report(&mut bench, "b", Link::Up(Duration::ZERO));
    assert_eq!(bench.verdict("p"), Verdict::Silent);
    report(&mut bench, "b", Link::Lost);
    assert_eq!(bench.verdict("p"), Verdict::Dead(Cause::Silence));
}

#[test]
fn kubernetes_is_a_witness_too() {
    let mut bench = Bench::new(&["p", "q", "r", "s"]);
    let (p, now) = ("p".parse().unwrap(), bench.now);
    bench.liveness.pod(&p, None, Kubernetes::Gone, now);
    assert_eq!(bench.verdict("p"), Verdict::Alive, "it beats, whatever the watch says");
    bench.pass(3000);
    bench.beat(&["q", "r", "s"]);
    assert_eq!(bench.verdict("p"), Verdict::Dead(Cause::Gone), "with no balancer's word");
    bench.liveness.pod(&p, None, Kubernetes::Terminated, now);
    assert_eq!(bench.verdict("p"), Verdict::Dead(Cause::Terminated));
}

#[test]
fn what_a_pod_closed_itself_is_believed_at_once_if_the_balancers_saw_it_too() {
    let mut bench = Bench::new(&["p", "q"]);
    bench.liveness.closed(&holder("p", "1"), Closed::ByPeer, bench.now);
    bench.pass(200);
    assert_eq!(bench.verdict("p"), Verdict::Alive, "the balancers hear it");
    bench.report(vec![("p", Link::Lost), ("q", Link::Up(Duration::ZERO))]);
    assert_eq!(bench.verdict("p"), Verdict::Alive, "a lost link is silence, not an end");
    bench.report(vec![("p", Link::ClosedByPeer), ("q", Link::Up(Duration::ZERO))]);
    assert_eq!(bench.verdict("p"), Verdict::Dead(Cause::Reset));
    bench.liveness.beat(&holder("p", "2"), 2, bench.now);
    assert_eq!(bench.verdict("p"), Verdict::Alive, "started anew");
    assert!(!bench.liveness.beat(&holder("p", "1"), 1, bench.now), "a late beat");
    assert_eq!(bench.liveness.boot(&"p".parse().unwrap()).unwrap().as_str(), "2");
}

#[test]
fn more_than_a_third_silent_at_once_freezes_silence_and_nothing_else() {
    let mut bench = Bench::new(&["p", "q", "r", "s", "t"]);
    bench.pass(2000);
    bench.beat(&["r", "s", "t"]);
    bench.pass(1000);
    bench.report(vec![("p", Link::Lost), ("q", Link::Lost)]);
    assert_eq!(bench.liveness.judge(bench.now).paused, Some(Paused { silent: 2, of: 5 }));
    assert_eq!(bench.verdict("p"), Verdict::Paused);
    bench.liveness.pod(&"q".parse().unwrap(), None, Kubernetes::Terminated, bench.now);
    assert_eq!(bench.verdict("q"), Verdict::Dead(Cause::Terminated));
    assert_eq!(bench.verdict("p"), Verdict::Dead(Cause::Silence), "one of four is not too many");
}

#[test]
fn a_freeze_ends_when_somebody_has_looked_and_the_convicted_count_no_more() {
    let mut bench = Bench::new(&["p", "q", "r", "s", "t", "u"]);
    bench.pass(3000);
    bench.beat(&["s", "t", "u"]);
    bench.report(vec![]);
    assert_eq!(bench.verdict("q"), Verdict::Paused);
    bench.liveness.resume(bench.now + Duration::from_secs(1));
    assert_eq!(bench.verdict("q"), Verdict::Dead(Cause::Silence));
    bench.pass(3000);
    bench.beat(&["t", "u"]);
    bench.report(vec![]);
    assert_eq!(bench.liveness.judge(bench.now).paused, None, "one of three");
    assert_eq!(bench.verdict("s"), Verdict::Dead(Cause::Silence));
}

#[test]
fn when_a_network_heals_and_one_node_is_heard_before_another_nobody_is_believed_to_be_gone() {
    let mut bench = Bench::new(&["p", "q", "r", "s"]);
    for (pod, node) in [("p", "one"), ("q", "one"), ("r", "two"), ("s", "two")] {
        bench.liveness.pod(&pod.parse().unwrap(), Some(node), Kubernetes::Present, bench.now);
    }
    bench.pass(15_000);
    bench.report(vec![]);
    assert_eq!(bench.verdict("p"), Verdict::Paused, "nobody is heard");
    bench.beat(&["r", "s"]);
    bench.report(vec![]);
    assert_eq!(bench.verdict("p"), Verdict::Paused, "the others are as likely to come back");
    bench.pass(500);
    bench.beat(&["p", "q"]);
    assert_eq!((bench.verdict("p"), bench.verdict("q")), (Verdict::Alive, Verdict::Alive));
    bench.pass(3000);
    bench.beat(&["r", "s"]);
    bench.report(vec![]);
    assert_eq!(bench.verdict("p"), Verdict::Dead(Cause::Silence), "now it is a node that is lost");
}

#[test]
fn who_does_not_come_back_when_a_network_heals_is_gone_after_a_tenure() {
    let mut bench = Bench::new(&["p", "q", "r", "s"]);
    bench.pass(5000);
    bench.report(vec![]);
    assert_eq!(bench.verdict("p"), Verdict::Paused);
    for _ in 0..4 {
        bench.beat(&["q", "r", "s"]);
        bench.report(vec![]);
        assert_eq!(bench.verdict("p"), Verdict::Paused);
        bench.pass(2500);
    }
    bench.beat(&["q", "r", "s"]);
    bench.report(vec![]);
    assert_eq!(bench.verdict("p"), Verdict::Dead(Cause::Silence));
}

#[test]
fn a_lost_node_is_no_lost_ear() {
    let mut bench = Bench::new(&["p", "q", "r", "s"]);
    for (pod, node) in [("p", "one"), ("q", "one"), ("r", "two"), ("s", "two")] {
        bench.liveness.pod(&pod.parse().unwrap(), Some(node), Kubernetes::Present, bench.now);
    }
    bench.pass(3000);
    bench.beat(&["r", "s"]);
    bench.report(vec![]);
    assert_eq!(bench.liveness.judge(bench.now).paused, None);
    assert_eq!(bench.verdict("q"), Verdict::Dead(Cause::Silence));
    bench.pass(3000);
    bench.report(vec![]);
    assert!(bench.liveness.judge(bench.now).paused.is_some(), "nobody is heard at all");
}

#[test]
fn a_new_leader_listens_for_a_beat() {
    let mut bench = Bench::new(&["p"]);
    bench.liveness.lead(bench.now);
    bench.pass(999);
    assert!(bench.liveness.judge(bench.now).listening);
    bench.pass(1);
    assert!(!bench.liveness.judge(bench.now).listening);
    bench.liveness.follow();
    assert!(bench.liveness.judge(bench.now).listening, "who does not lead decides nothing");
}

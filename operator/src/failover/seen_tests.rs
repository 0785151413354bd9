use std::collections::BTreeSet;

use millrace_fencing::{Grant, liveness::Kubernetes};

use super::{
    super::{facts::PodFacts, units::Member},
    *,
};

fn uid(text: &str) -> FeedUid {
    text.parse().unwrap()
}

fn epoch(number: u64) -> Epoch {
    Epoch::new(number).unwrap()
}

fn unit() -> Unit {
    let member = |name: &str| Member {
        kind: Kind::Feed,
        name: name.into(),
        uid: uid(name),
        lease: format!("lease-{name}"),
        announced: name == "a",
    };
    Unit {
        home: "slot".into(),
        members: vec![member("a"), member("b")],
        placement: <_>::default(),
        images: BTreeSet::from(["ffmpeg".to_owned()]),
        tied: false,
        standby: false,
    }
}

fn units() -> Units {
    let of = [(uid("a"), uid("a")), (uid("b"), uid("a"))].into();
    Units { all: [(uid("a"), unit())].into(), of }
}

fn read(feed: &str, holder: &str, number: u64) -> (String, Read) {
    let grant = Grant { feed: uid(feed), holder: holder.parse().unwrap(), epoch: epoch(number) };
    (
        format!("lease-{feed}"),
        Read { version: number.to_string().into(), grant: Some(grant), ..Read::default() },
    )
}

#[test]
fn the_leases_of_a_unit_count_only_together() {
    let of = |all: Vec<(String, Read)>| lease(&unit(), &all.into_iter().collect());
    assert_eq!(of(vec![]), None);
    let whole = of(vec![read("a", "p_1", 3), read("b", "p_1", 3)]).unwrap();
    assert!(whole.sealed && whole.epoch == epoch(3) && &*whole.version == "3,3");
    let half = of(vec![read("b", "p_1", 3)]).unwrap();
    assert!(!half.sealed && &*half.version == "-,3" && half.holder.to_string() == "p_1");
    let mixed = of(vec![read("a", "p_1", 4), read("b", "q_1", 3)]).unwrap();
    assert!(!mixed.sealed && mixed.epoch == epoch(4));
    let stolen = (format!("lease-{}", "a"), read("b", "p_1", 3).1);
    assert!(!of(vec![stolen, read("b", "p_1", 3)]).unwrap().sealed, "the grant of another");
    let foreign = ("lease-a".to_owned(), Read { version: "9".into(), ..Read::default() });
    let foreign = of(vec![foreign]).unwrap();
    assert!(
        !foreign.sealed && foreign.epoch == Epoch::FIRST && foreign.holder.to_string() == "nobody_nobody"
    );
}

#[test]
fn a_part_of_what_a_pod_is_to_own_is_not_held_and_a_part_of_what_it_owned_is() {
    let said = Said { holdings: [(uid("a"), (epoch(3), true))].into(), ..Said::default() };
    assert!(holdings(&said, &units(), |_| Some(epoch(3))).is_empty());
    assert_eq!(holdings(&said, &units(), |_| Some(epoch(4)))[0].epoch, epoch(3));
    let all = [(uid("a"), (epoch(3), true)), (uid("b"), (epoch(3), false))].into();
    let both = holdings(&Said { holdings: all, ..Said::default() }, &units(), |_| Some(epoch(3)));
    assert!(both.len() == 1 && !both[0].cleared);
}

#[test]
fn a_balancer_knows_a_unit_by_the_paths_that_are_announced() {
    let owner = (epoch(3), "p_1".parse().unwrap());
    let leases = BTreeMap::from([(uid("a"), owner.clone())]);
    let knows = |all: &[(&str, u64)]| {
        let one = |(feed, number): &(&str, u64)| (uid(feed), (epoch(*number), "p_1".parse().unwrap()));
        let told = Told { newest: all.iter().map(one).collect(), ..Told::default() };
        balancer(&told, &units(), true, &leases).newest.get(&uid("a")).map(|it| it.0)
    };
    assert_eq!(knows(&[]), None);
    assert_eq!(knows(&[("a", 3)]), Some(epoch(3)), "b has no path");
    assert_eq!(knows(&[("a", 3), ("b", 5)]), Some(epoch(5)), "something newer is known");
}

#[test]
fn a_guest_goes_where_its_images_are_and_what_reads_files_nowhere() {
    let pod = |slot: &str, image: &str| PodFacts {
        name: slot.into(),
        slot: slot.into(),
        images: BTreeSet::from([image.to_owned()]).into(),
        node: None,
        ip: None,
        kubernetes: Kubernetes::Present,
        ready: true,
        draining: false,
        cordoned: false,
        ends: false,
        template: String::new(),
    };
    let all = [("p", pod("slot", "ffmpeg")), ("q", pod("other", "ffmpeg")), ("r", pod("third", "gst"))];
    let servers: BTreeMap<PodUid, PodFacts> =
        all.into_iter().map(|(uid, pod)| (uid.parse().unwrap(), pod)).collect();
    let seen = PodSeen {
        verdict: Verdict::Alive,
        boot: Some("1".parse().unwrap()),
        draining: false,
        holdings: vec![],
        over: BTreeMap::new(),
    };
    let pods = servers.keys().map(|uid| (uid.clone(), seen.clone())).collect();
    let facts = Facts { servers, ..Facts::default() };
    let names = |unit: &Unit| -> Vec<String> {
        let all = Pool::new(&facts, &pods).candidates(unit, &facts, None, false);
        all.iter().map(|it| it.pod.to_string()).collect()
    };
    assert_eq!(names(&unit()), ["p", "q"]);
    assert_eq!(names(&Unit { tied: true, ..unit() }), ["p"]);
}

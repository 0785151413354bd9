mod keys;
mod losses;
mod nodes;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use kube::ResourceExt as _;

use super::bench::{Bench, World};
use crate::{
    labels,
    scenarios::faulty::{feed, stream},
};

const SOON: Duration = Duration::from_secs(10);
const CLUSTER: &str =
    "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec: {}\n";

fn cameras(names: &[&str]) -> String {
    let one = |name: &&str| {
        feed(name, "source: {command: [ffmpeg, \"-\"]}")
            + &stream(name, &format!("path: /{name}.ts, feeds: [{name}]"))
    };
    CLUSTER.to_owned() + &names.iter().map(one).collect::<String>()
}

fn all_settled(names: &'static [&'static str]) -> impl Fn(&World) -> bool {
    move |world| names.iter().all(|name| world.is_settled(name))
}

const TWO: &[&str] = &["door", "yard"];
const THREE: &[&str] = &["door", "hall", "yard"];

async fn started(names: &'static [&'static str], fronts: usize) -> Bench {
    let bench = Bench::new(&cameras(names), fronts);
    bench.until("first grants", SOON, all_settled(names)).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn each_feed_begins_at_home_in_epoch_one_with_a_lease_and_a_grant() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(2)).await;
    let world = bench.world();
    for name in TWO {
        assert_eq!(world.owner(name), Some((format!("default-{name}"), 1)));
        assert_eq!(world.epoch(name), Some(1));
        let pod = world.pod(name);
        let held: Vec<_> = world.servers[&pod].tenure.holdings().collect();
        assert!(held.len() == 1 && held[0].cleared, "nobody was before it: {held:?}");
        assert!(world.servers[&pod].vouched > 0 && world.edges.contains(&pod));
    }
    let lease = world.leases.values().next().unwrap();
    let owner = &lease.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!((owner.kind.as_str(), owner.name.as_str()), ("Feed", "door"));
    assert!(lease.annotations().contains_key(labels::GRANT) && lease.labels()[labels::FEED] == "door");
}

#[tokio::test(start_paused = true)]
async fn first_grants_need_no_balancer() {
    let bench = started(TWO, 0).await;
    assert_eq!(bench.world().owner("yard"), Some(("default-yard".into(), 1)));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_stands_still_costs_nothing() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(15)).await;
    let spent = |bench: &Bench| {
        let world = bench.world();
        (world.requests, world.reconciles)
    };
    let before = spent(&bench);
    bench.run(Duration::from_secs(30)).await;
    assert_eq!(spent(&bench), before);
}

#[tokio::test(start_paused = true)]
async fn a_killed_pods_feed_goes_on_elsewhere_at_once_and_comes_home_when_it_is_back() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(3)).await;
    let door = bench.world().pod("door");
    bench.kill(&door, Some(Duration::from_secs(2)));
    let away =
        |world: &World| world.owner("door") == Some(("default-yard".into(), 2)) && world.is_settled("door");
    let took = bench.until("it is with the other", SOON, away).await;
    assert!(took <= Duration::from_millis(400), "{took:?}");
    {
        let world = bench.world();
        assert_eq!(world.epoch("door"), Some(2));
        let moved = world.moved.iter().find(|it| it.cause() == "Reset").unwrap();
        assert!(moved.took.unwrap() <= Duration::from_millis(400), "{moved:?}");
        let yaml = world.all.yaml();
        let of = |slot: &str| yaml.iter().find(|(name, _)| name.starts_with(slot)).unwrap().1.clone();
        assert!(of("default-yard").contains("/door.ts"), "a guest");
        assert!(of("default-door").contains("/door.ts"), "its home keeps it");
        let yard = world.all.view.feeds.iter().find(|it| it.name_any() == "door").unwrap();
        let pod = yard.status.as_ref().unwrap().pod.clone().unwrap_or_default();
        assert!(pod.is_empty() || pod.starts_with("default-"), "{pod}");
    }
    let home =
        |world: &World| world.owner("door") == Some(("default-door".into(), 3)) && world.is_settled("door");
    bench.until("it is at home", Duration::from_secs(20), home).await;
    bench.run(Duration::from_secs(2)).await;
    let world = bench.world();
    let yard = world.pod("yard");
    assert_eq!(world.servers[&yard].tenure.holdings().count(), 1, "the guest is gone");
    let yaml = world.all.yaml();
    let of_yard = yaml.iter().find(|(name, _)| name.starts_with("default-yard")).unwrap();
    assert!(!of_yard.1.contains("/door.ts"), "and from the configuration");
    assert_eq!(world.owner("yard"), Some(("default-yard".into(), 1)), "its neighbour never moved");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_deleted_comes_back_and_the_pod_stays() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(2)).await;
    bench.world().leases.retain(|_, it| it.labels()[labels::FEED] != "door");
    for _ in 0..200 {
        if bench.world().owner("door").is_some() {
            break;
        }
        bench.world().touch();
        bench.run(Duration::from_millis(50)).await;
    }
    assert_eq!(
        bench.world().owner("door"),
        Some(("default-door".into(), 1)),
        "its grant is known to all: the same"
    );
    assert!(bench.world().is_settled("door"));
    let world = bench.world();
    assert!(world.moved.iter().all(|it| it.cause() == "First"), "nothing has moved: {:?}", world.moved);
}

#[tokio::test(start_paused = true)]
async fn without_balancers_a_lease_that_is_deleted_gives_a_new_epoch_to_the_same_pod() {
    let bench = started(TWO, 0).await;
    bench.run(Duration::from_secs(2)).await;
    bench.world().leases.retain(|_, it| it.labels()[labels::FEED] != "door");
    bench.world().touch();
    bench.until("a new epoch", SOON, |world| world.owner("door") == Some(("default-door".into(), 2))).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_else_writes_counts_for_nothing() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(2)).await;
    let yard = bench.world().pod("yard");
    {
        let mut world = bench.world();
        let lease = world.leases.values_mut().find(|it| it.labels()[labels::FEED] == "door").unwrap();
        let holder = Some(format!("{yard}_boot-9"));
        lease.spec = Some(LeaseSpec {
            holder_identity: holder,
            lease_transitions: Some(i32::MAX),
            ..LeaseSpec::default()
        });
        lease.metadata.resource_version = Some("99999".into());
        world.touch();
    }
    bench
        .until("it is put right", SOON, |world| world.owner("door") == Some(("default-door".into(), 1)))
        .await;
    bench.run(Duration::from_secs(1)).await;
    assert!(bench.world().is_settled("door"));
    assert_eq!(bench.world().owner("door"), Some(("default-door".into(), 1)));
}

#[tokio::test(start_paused = true)]
async fn what_a_leader_that_dies_anywhere_in_a_failover_began_the_next_one_finishes() {
    for lives in 0..12 {
        let bench = started(TWO, 2).await;
        bench.run(Duration::from_secs(1)).await;
        let door = bench.world().pod("door");
        bench.world().lives = Some(lives);
        bench.kill(&door, None);
        bench.run(Duration::from_secs(1)).await;
        {
            let mut world = bench.world();
            (world.leader, world.lives) = (1, None);
            world.touch();
        }
        let away = |world: &World| world.is_settled("door") && world.is_settled("yard");
        let took = bench.until(&format!("after {lives}"), SOON, away).await;
        assert!(took <= Duration::from_secs(3), "after {lives}: {took:?}");
        let world = bench.world();
        let (slot, epoch) = world.owner("door").unwrap();
        assert!(slot == "default-yard" && (2..=3).contains(&epoch), "after {lives}: {slot} {epoch}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_of_one_is_believed_and_of_too_many_at_once_is_not_until_somebody_says_so() {
    let bench = started(THREE, 2).await;
    bench.run(Duration::from_secs(10)).await;
    let door = bench.world().pod("door");
    let hall = bench.world().pod("hall");
    bench.cut(&door);
    bench.cut(&hall);
    bench.run(Duration::from_secs(10)).await;
    {
        let mut world = bench.world();
        assert_eq!(world.found.paused, Some((2, 3)));
        assert!(world.all.view.cluster.as_ref().unwrap().status.as_ref().unwrap().conditions.iter().any(
            |it| {
                it.type_ == "FailoverPaused" && it.status == "True" && it.message.contains("failover=resume")
            }
        ));
        assert_eq!(world.owner("door"), Some(("default-door".into(), 1)));
        world.resume = true;
        world.touch();
    }
    let moved = |world: &World| {
        world.owner("door").is_some_and(|it| it.1 == 2) && world.owner("hall").is_some_and(|it| it.1 == 2)
    };
    bench.until("both moved", SOON, moved).await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_to_be_drained_is_emptied_without_a_break_and_replaced() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(3)).await;
    let door = bench.world().pod("door");
    bench.world().annotate(&door, labels::DRAIN, "true");
    let mut epochs = Vec::new();
    for _ in 0..4000 {
        bench.run(super::bench::STEP).await;
        let world = bench.world();
        let held = world
            .servers
            .values()
            .any(|it| it.alive && it.tenure.holdings().any(|it| it.feed == world.uid("door")));
        assert!(held, "somebody always has it");
        epochs.extend(world.owner("door"));
        if !world.servers[&door].alive && world.is_settled("door") {
            break;
        }
    }
    epochs.dedup();
    let world = bench.world();
    assert!(!world.servers[&door].alive, "{epochs:?} {:?}", world.found);
    assert!(epochs.len() >= 2, "{epochs:?}");
    assert!(world.all.view.pods.len() == 2, "{:?}", world.all.pods());
}

#[tokio::test(start_paused = true)]
async fn another_image_moves_a_feed_before_the_old_pod_goes() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(3)).await;
    let door = bench.world().pod("door");
    let yard = bench.world().pod("yard");
    {
        let mut world = bench.world();
        world.all.write(
            "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec: {servers: {image: other/media-pod:2}}\n",
        );
        world.touch();
    }
    let done = |world: &World| {
        !world.servers[&door].alive
            && !world.servers[&yard].alive
            && TWO.iter().all(|name| world.is_settled(name))
    };
    bench.until("both are upgraded", Duration::from_mins(1), done).await;
    bench.run(Duration::from_secs(1)).await;
    let world = bench.world();
    for name in TWO {
        assert_eq!(world.owner(name).unwrap().0, format!("default-{name}"), "each at home");
        assert!(world.moved.iter().filter(|it| it.why.is_planned()).count() >= 2);
    }
    assert!(world.moved.iter().all(|it| it.cause() != "Reset"), "{:?}", world.moved);
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_from_the_same_slot() {
    let yaml = CLUSTER.to_owned()
        + &feed("door", "standby: true, source: {command: [ffmpeg, \"-\"]}")
        + &stream("door", "path: /door.ts, feeds: [door]")
        + &feed("yard", "source: {command: [ffmpeg, \"-\"]}");
    let bench = Bench::new(&yaml, 2);
    bench.until("first grants", SOON, all_settled(&["door"])).await;
    bench.run(Duration::from_secs(3)).await;
    let of_door = bench.world().servers.values().filter(|it| it.slot.starts_with("default-door-")).count();
    assert_eq!(of_door, 2, "two pods");
    let owner = {
        let world = bench.world();
        let uid = world.uid("door");
        let holds = |it: &&super::bench::Server| it.tenure.holdings().any(|it| it.feed == uid);
        world.servers.values().find(holds).unwrap().tenure.holder().pod.clone()
    };
    bench.kill(&owner, None);
    let over =
        |world: &World| world.owner("door") == Some(("default-door".into(), 2)) && world.is_settled("door");
    let took = bench.until("the standby has it", SOON, over).await;
    assert!(took <= Duration::from_millis(400), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn feeds_that_one_stream_needs_move_together() {
    let mux =
        "path: /mux.ts, feeds: [a, b], command: [ffmpeg, -i, \"{feed:a}\", -i, \"{feed:b}\", \"{output}\"]";
    let yaml = CLUSTER.to_owned()
        + &feed("a", "source: {command: [ffmpeg, \"-\"]}")
        + &feed("b", "source: {command: [ffmpeg, \"-\"]}")
        + &stream("mux", mux)
        + &feed("yard", "source: {command: [ffmpeg, \"-\"]}");
    let bench = Bench::new(&yaml, 2);
    bench.until("first grants", SOON, all_settled(&["a", "b"])).await;
    bench.run(Duration::from_secs(2)).await;
    let owners = |world: &World| (world.owner("a"), world.owner("b"));
    let (a, b) = owners(&bench.world());
    assert_eq!(a, b);
    let pod = bench.world().pod("a");
    bench.kill(&pod, None);
    let away = |world: &World| {
        world.owner("a") == Some(("default-yard".into(), 2)) && world.owner("b") == world.owner("a")
    };
    bench.until("both moved", SOON, away).await;
    // One of two Leases is lost: both count as lost.
    bench.world().leases.retain(|_, it| it.labels()[labels::FEED] != "b");
    bench.world().touch();
    bench
        .until("both are there", SOON, |world| {
            world.owner("b").is_some() && world.owner("b") == world.owner("a")
        })
        .await;
}

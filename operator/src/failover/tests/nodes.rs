//! Nodes that take nothing new.

use super::*;

/// What the Cluster says of pods that are being emptied.
fn said(world: &World) -> (String, String) {
    let status = world.all.view.cluster.as_ref().unwrap().status.clone().unwrap();
    let condition = status.conditions.into_iter().find(|it| it.type_ == "Draining");
    condition.map_or_else(<_>::default, |it| (format!("{}/{}", it.status, it.reason), it.message))
}

fn cordon(bench: &Bench, pod: &millrace_fencing::PodUid) {
    let mut world = bench.world();
    world.cordoned.insert(format!("node-of-{pod}"));
    world.touch();
}

#[tokio::test(start_paused = true)]
async fn what_is_on_a_cordoned_node_and_can_go_nowhere_is_said_until_it_can() {
    let bench = started(&["door"], 2).await;
    bench.run(Duration::from_secs(3)).await;
    let door = bench.world().pod("door");
    cordon(&bench, &door);
    let waits = |world: &World| said(world).0 == "True/DrainWaits";
    let took = bench.until("it is said", SOON, waits).await;
    assert!(took >= Duration::from_secs(4), "another pod might have been about to come: {took:?}");
    let names = bench.world().all.pods();
    assert!(said(&bench.world()).1.contains(&names[0]), "{:?}", said(&bench.world()));
    bench.run(Duration::from_secs(20)).await;
    {
        let mut world = bench.world();
        let events = world.all.events.iter().filter(|it| it.reason == crate::reason::Reason::DrainWaits);
        assert_eq!(events.map(|it| it.kind).collect::<Vec<_>>(), ["Cluster"], "once");
        assert_eq!(world.owner("door"), Some(("default-door".into(), 1)), "it runs on");
        // As the message says.
        world.annotate(&door, labels::DRAIN, "true");
    }
    let gone = |world: &World| !world.servers[&door].alive && world.is_settled("door");
    bench.until("it is with another", SOON, gone).await;
    bench.until("no more", SOON, |world| said(world).0 == "False/NotDraining").await;
    let world = bench.world();
    assert!(world.moved.last().unwrap().why.is_planned(), "{:?}", world.moved);
}

#[tokio::test(start_paused = true)]
async fn what_is_on_a_cordoned_node_and_another_can_take_is_moved_and_nothing_is_amiss() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(3)).await;
    let door = bench.world().pod("door");
    cordon(&bench, &door);
    let away = |world: &World| world.owner("door") == Some(("default-yard".into(), 2));
    bench.until("it is with the other", SOON, away).await;
    bench.run(Duration::from_secs(20)).await;
    let world = bench.world();
    assert_eq!(said(&world).0, "True/Draining");
    assert!(world.all.events.iter().all(|it| it.reason != crate::reason::Reason::DrainWaits));
}

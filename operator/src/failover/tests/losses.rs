//! What is lost beside pods: their objects, their slots, and the right to write.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_pod_deleted_by_force_keeps_its_guest_until_another_has_it() {
    let bench = started(THREE, 2).await;
    bench.run(Duration::from_secs(3)).await;
    let door = bench.world().pod("door");
    bench.kill(&door, None);
    let away = |world: &World| world.owner("door").is_some_and(|it| it.1 == 2) && world.is_settled("door");
    bench.until("it is a guest", SOON, away).await;
    bench.run(Duration::from_secs(1)).await;
    let (slot, _) = bench.world().owner("door").unwrap();
    let host = bench.world().pod(slot.trim_start_matches("default-"));
    bench.force_delete(&host);
    for _ in 0..4000 {
        bench.run(crate::failover::bench::STEP).await;
        let world = bench.world();
        let uid = world.uid("door");
        let holds = world.servers[&host].tenure.holdings().any(|it| it.feed == uid);
        let yaml = world.all.yaml();
        let of_host = yaml.iter().find(|(name, _)| name.starts_with(&slot)).unwrap();
        assert!(!holds || of_host.1.contains("/door.ts"), "it would say that there is no such stream");
        let held = world.servers.values().any(|it| it.alive && it.tenure.holdings().any(|it| it.feed == uid));
        assert!(held, "somebody always has it");
        if !holds && world.is_settled("door") {
            break;
        }
    }
    let mut world = bench.world();
    assert!(world.is_settled("door") && world.servers[&host].tenure.holdings().count() == 0);
    let moved = world.moved.last().unwrap();
    assert!(moved.why.is_planned(), "it was moved while its pod lived: {:?}", world.moved);
    world.ghosts.clear();
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_nobody_belongs_to_any_more_stays_while_its_pod_owns_something() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(3)).await;
    let yard = bench.world().pod("yard");
    {
        let mux = "path: /both.ts, feeds: [door, yard], command: [ffmpeg, -i, \"{feed:door}\", -i, \"{feed:yard}\", \
                   \"{output}\"]";
        let mut world = bench.world();
        world.all.write(&stream("both", mux));
        world.touch();
    }
    let mut gone = false;
    for _ in 0..4000 {
        bench.run(crate::failover::bench::STEP).await;
        let world = bench.world();
        let uid = world.uid("yard");
        let holds =
            world.servers[&yard].alive && world.servers[&yard].tenure.holdings().any(|it| it.feed == uid);
        let yaml = world.all.yaml();
        let there = yaml.iter().find(|(name, _)| name.starts_with("default-yard-"));
        assert!(!holds || there.is_some_and(|it| it.1.contains("/yard.ts")), "{:?}", world.all.pods());
        gone = there.is_none() && !world.servers[&yard].alive;
        if gone && world.is_settled("yard") && world.is_settled("door") {
            break;
        }
    }
    let world = bench.world();
    assert!(gone, "{:?} {:?}", world.all.pods(), world.found);
    let seen: Vec<_> = world.fronts.iter().map(|it| &it.newest).collect();
    assert!(world.is_settled("yard") && world.is_settled("door"), "{:?} {seen:?}", world.leases);
    assert_eq!(world.owner("yard"), world.owner("door"));
    assert_eq!(world.owner("yard").unwrap().0, "default-door");
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_written_is_tried_less_and_less_and_goes_on_when_it_may() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(3)).await;
    let door = bench.world().pod("door");
    let before = {
        let mut world = bench.world();
        world.forbidden = true;
        world.requests
    };
    bench.kill(&door, None);
    bench.run(Duration::from_secs(20)).await;
    {
        let mut world = bench.world();
        let spent = world.requests - before;
        assert!((5..=12).contains(&spent), "{spent} in 20 s");
        world.forbidden = false;
    }
    let away =
        |world: &World| world.owner("door") == Some(("default-yard".into(), 2)) && world.is_settled("door");
    bench.until("it is with the other", Duration::from_secs(6), away).await;
}

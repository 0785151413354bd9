//! The operator's key changes, and what it has signed outlives many keys.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::coordination::v1::LeaseSpec;
use millrace_fencing::{SignedGrant, Verify as _};

use super::*;

/// Leases whose grants, and pods that hold grants, of the key that is in use now: all of them.
fn is_signed_anew(world: &World) -> bool {
    let key = world.key_in_use();
    let lease = |lease: &k8s_openapi::api::coordination::v1::Lease| {
        let text = STANDARD.decode(&lease.annotations()[labels::GRANT]).unwrap();
        key.verify(&SignedGrant::from_bytes(&text).unwrap()).is_ok()
    };
    let held = |it: &crate::failover::bench::Server| {
        it.tenure.holdings().all(|held| key.verify(it.tenure.grant(&held.feed).unwrap()).is_ok())
    };
    world.leases.values().all(lease) && world.servers.values().filter(|it| it.alive).all(held)
}

fn specs(world: &World) -> BTreeMap<String, LeaseSpec> {
    world.leases.iter().map(|(name, lease)| (name.clone(), lease.spec.clone().unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn after_each_change_of_keys_leases_and_pods_have_grants_of_the_new_one_and_nothing_moves() {
    let bench = started(THREE, 2).await;
    bench.run(Duration::from_secs(2)).await;
    let before = specs(&bench.world());
    assert!(is_signed_anew(&bench.world()));
    // More than the operator itself believes at one time.
    for round in 0..15 {
        {
            let mut world = bench.world();
            world.next_keys();
            assert!(!is_signed_anew(&world), "{round}");
            // Whoever leads: every other time it is another.
            world.leader = round % 2;
        }
        let took = bench.until("signed anew", SOON, is_signed_anew).await;
        assert!(took <= Duration::from_secs(3), "{round}: {took:?}");
        bench.run(Duration::from_secs(2)).await;
        let world = bench.world();
        assert!(is_signed_anew(&world), "{round}");
        assert_eq!(specs(&world), before, "the same owners since the same time: {round}");
    }
    let world = bench.world();
    assert!(world.moved.iter().all(|it| it.cause() == "First"), "{:?}", world.moved);
    assert!(THREE.iter().all(|name| world.is_settled(name)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_while_the_key_stays() {
    let bench = started(TWO, 2).await;
    bench.world().next_keys();
    bench.until("signed anew", SOON, is_signed_anew).await;
    bench.run(Duration::from_secs(1)).await;
    let before = bench.world().requests;
    bench.run(Duration::from_mins(1)).await;
    assert_eq!(bench.world().requests, before);
}

#[tokio::test(start_paused = true)]
async fn what_a_leader_that_dies_at_a_change_of_keys_left_the_next_one_signs() {
    for lives in 0..8 {
        let bench = started(THREE, 2).await;
        bench.run(Duration::from_secs(1)).await;
        {
            let mut world = bench.world();
            world.next_keys();
            world.lives = Some(lives);
        }
        bench.run(Duration::from_secs(2)).await;
        {
            let mut world = bench.world();
            (world.leader, world.lives) = (1, None);
            world.touch();
        }
        bench.until(&format!("signed anew after {lives}"), SOON, is_signed_anew).await;
        bench.run(Duration::from_secs(1)).await;
        let world = bench.world();
        assert!(world.moved.iter().all(|it| it.cause() == "First"), "{lives}: {:?}", world.moved);
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_signed_anew_is_tried_less_and_less() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(1)).await;
    let before = {
        let mut world = bench.world();
        world.forbidden = true;
        world.next_keys();
        world.requests
    };
    bench.run(Duration::from_secs(20)).await;
    {
        let mut world = bench.world();
        let spent = world.requests - before;
        assert!((10..=24).contains(&spent), "{spent} in 20 s");
        world.forbidden = false;
    }
    bench.until("signed anew", Duration::from_secs(6), is_signed_anew).await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_dies_as_the_key_changes_is_failed_over_as_ever() {
    let bench = started(TWO, 2).await;
    bench.run(Duration::from_secs(1)).await;
    let door = bench.world().pod("door");
    bench.world().next_keys();
    bench.kill(&door, None);
    let away = |world: &World| world.owner("door") == Some(("default-yard".into(), 2));
    let took = bench.until("it is with the other", SOON, away).await;
    assert!(took <= Duration::from_millis(1500), "{took:?}");
    bench.until("signed anew", SOON, is_signed_anew).await;
}

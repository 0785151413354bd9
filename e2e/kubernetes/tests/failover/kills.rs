//! Pods whose process is killed.

use std::time::Instant;

use millrace_e2e_kubernetes::{
    Space, await_condition, kill_bus, local, name, uid, with, with_temp_namespace, with_temp_namespace_alone,
};
use serde_json::json;

use super::{PATIENCE, Scene, epoch, newer};

#[test]
fn a_server_pod_is_killed_and_200_viewers_stay_and_see_the_picture_go_on() {
    with_temp_namespace_alone("kill", |space| {
        if !local() {
            eprintln!("left out: only on the nodes of e2e/cluster/up can a process be killed");
            return;
        }
        let scene = Scene::four(space, &json!({}));
        let crowd = scene.watched(200);
        for (round, feed) in ["a", "b", "a"].into_iter().enumerate() {
            let (path, (lease, pod)) = (format!("/{feed}"), space.owner(feed));
            let before = crowd.run(&path);
            crowd.begin();
            kill_bus(&pod);
            let began = Instant::now();
            crowd.another_run(&path, &before);
            crowd.all_see(20);
            let (gap, all) = (crowd.longest_gap(Some(&path)), crowd.longest_gap(None));
            println!(
                "round {round}: another owner after {:.2?}, the longest gap {gap:.2?}, of any stream {all:.2?}",
                began.elapsed()
            );
            assert!(gap < PATIENCE, "{gap:?}");
            crowd.unharmed();
            newer(space, feed, epoch(&lease));
        }
    });
}

#[test]
fn with_a_standby_another_pod_goes_on() {
    with_temp_namespace_alone("standby", |space| {
        if !local() {
            return;
        }
        let standby = |feed| with(feed, &json!({"standby": true}));
        let scene = Scene::with(space, &["a"], &json!({}), &standby);
        await_condition("there are two server pods, on two nodes", || {
            let pods = space.pods();
            let nodes: std::collections::BTreeSet<_> = pods.iter().map(super::node_of).collect();
            (pods.len() == 2 && pods.iter().all(millrace_e2e_kubernetes::is_ready) && nodes.len() == 2)
                .then_some(())
        });
        let crowd = scene.watched(20);
        for round in 0..3 {
            let (lease, pod) = space.owner("a");
            let before = crowd.run("/a");
            crowd.begin();
            kill_bus(&pod);
            crowd.another_run("/a", &before);
            crowd.all_see(20);
            println!("round {round}: the longest gap with a standby {:.2?}", crowd.longest_gap(None));
            assert!(crowd.longest_gap(None) < PATIENCE);
            crowd.unharmed();
            newer(space, "a", epoch(&lease));
            let (_, next) = space.owner("a");
            assert_ne!(uid(&next), uid(&pod), "the standby owns it");
            await_condition("both are Ready again", || {
                let pods = space.pods();
                (pods.len() == 2 && pods.iter().all(millrace_e2e_kubernetes::is_ready)).then_some(())
            });
        }
    });
}

/// How many viewers each balancer has, by its own count.
fn viewers_of(space: &Space, balancer: &str) -> u32 {
    let metrics = space.metrics(balancer, 9000);
    let all = metrics.iter().filter(|(name, _)| name.starts_with("millrace_edge_viewers"));
    all.map(|(_, count)| *count).sum::<f64>().round() as u32
}

#[test]
fn a_balancer_is_killed_and_its_viewers_come_again_once_and_others_see_nothing() {
    with_temp_namespace_alone("balancer", |space| {
        if !local() {
            return;
        }
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(100);
        let all = Scene::balancers(space, 2);
        let counts: Vec<u32> = await_condition("the balancers have counted all viewers", || {
            let counts: Vec<u32> = all.iter().map(|pod| viewers_of(space, name(pod))).collect();
            (counts.iter().sum::<u32>() == 100).then_some(counts)
        });
        let leases = [space.owner("a").0, space.owner("b").0];
        kill_bus(&all[0]);
        await_condition("its viewers were cut off", || (crowd.ends() >= counts[0]).then_some(()));
        crowd.all_see(20);
        println!("viewers of the balancers: {counts:?}; cut off: {}", crowd.ends());
        assert_eq!(crowd.ends(), counts[0]);
        assert_eq!(crowd.more_than_once(), 0);
        crowd.in_order();
        // Nobody lost a feed by it.
        for (feed, lease) in ["a", "b"].into_iter().zip(&leases) {
            assert_eq!(space.owner(feed).0["spec"], lease["spec"]);
        }
        Scene::balancers(space, 2);
        crowd.all_see(10);
        assert_eq!((crowd.ends(), crowd.more_than_once()), (counts[0], 0));
    });
}

#[test]
fn a_server_pod_that_is_deleted_at_once_keeps_its_viewers() {
    with_temp_namespace("gone", |space| {
        let scene = Scene::with(space, &["a", "b"], &json!({}), &|feed| feed);
        let crowd = scene.watched(20);
        let (lease, pod) = space.owner("a");
        let before = crowd.run("/a");
        space.kill(name(&pod));
        crowd.another_run("/a", &before);
        crowd.all_see(20);
        println!("the longest gap after a pod was deleted by force: {:.2?}", crowd.longest_gap(Some("/a")));
        crowd.unharmed();
        newer(space, "a", epoch(&lease));
    });
}

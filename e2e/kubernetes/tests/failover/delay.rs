//! Pods that are far from each other.

use std::time::Duration;

use millrace_e2e_kubernetes::{
    Distance, Operator, Space, await_condition, kill_bus, local, name, with_temp_namespace_alone,
};
use serde_json::{Value, json};

use super::{FEEDS, PATIENCE, Scene, epoch, newer};

/// As between Europe and America, there and back twice this.
const WAY: Duration = Duration::from_millis(100);

/// What the balancers measured there and back, for each of their links.
fn there_and_back(space: &Space, balancers: &[Value]) -> Vec<f64> {
    let metrics = balancers.iter().flat_map(|pod| space.metrics(name(pod), 9000));
    metrics
        .filter(|(what, _)| what.starts_with("millrace_link_rtt_seconds"))
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn a_tenth_of_a_second_lies_between_pods_and_a_killed_owner_has_a_successor() {
    with_temp_namespace_alone("delay", |space| {
        if !local() {
            eprintln!("left out: only between the nodes of e2e/cluster/up can a relay be put");
            return;
        }
        // Before there are any pods, so that none has a connection that is quicker.
        let reports = Distance::to(&Operator.pods(), 9443, WAY);
        space.apply(&millrace_e2e_kubernetes::cluster("default", &json!({})));
        let balancers = Scene::balancers(space, 2);
        let links = Distance::to(&balancers, 9100, WAY);
        let scene = Scene::four(space, &json!({}));
        let crowd = scene.watched(40);
        let measured = await_condition("all links of four server pods were measured", || {
            let measured = there_and_back(space, &balancers);
            (measured.len() == 8 && measured.iter().all(|seconds| *seconds > 0.0)).then_some(measured)
        });
        assert!(measured.iter().all(|seconds| *seconds >= 0.2), "there and back: {measured:?} s");
        await_condition("all six report to both replicas of the operator", || {
            (links.carried() >= 8 && reports.carried() >= 12).then_some(())
        });
        let owners = FEEDS.map(|feed| epoch(&space.owner(feed).0));
        crowd.all_see(100);
        println!("there and back {measured:.3?} s; the longest gap {:.2?}", crowd.longest_gap(None));
        crowd.unharmed();
        assert!(crowd.longest_gap(None) < PATIENCE, "{:?}", crowd.longest_gap(None));
        assert_eq!(owners, FEEDS.map(|feed| epoch(&space.owner(feed).0)), "who is far is not gone");
        for (round, feed) in ["a", "b", "a"].into_iter().enumerate() {
            let (path, (lease, pod)) = (format!("/{feed}"), space.owner(feed));
            let before = crowd.run(&path);
            crowd.begin();
            kill_bus(&pod);
            crowd.another_run(&path, &before);
            crowd.all_see(20);
            let (gap, all) = (crowd.longest_gap(Some(&path)), crowd.longest_gap(None));
            println!("round {round}: the longest gap with 100 ms a way {gap:.2?}, of any stream {all:.2?}");
            crowd.unharmed();
            assert!(gap < PATIENCE, "{gap:?}");
            newer(space, feed, epoch(&lease));
        }
    });
}

//! A node is lost, and comes back.

use std::time::{Duration, Instant};

use millrace_e2e_kubernetes::{
    Address, await_condition, await_within, cluster, feed, is_ready, local, name, pause_node, steady, stream,
    uid, with_temp_namespace_alone,
};
use serde_json::{Value, json};

/// Kubernetes notices after 40 s, and evicts 5 s later.
const NOTICED: Duration = Duration::from_mins(3);

fn node_of(pod: &Value) -> &str {
    pod["spec"]["nodeName"].as_str().unwrap_or_default()
}

#[test]
fn a_node_that_is_lost_gives_its_feeds_to_another_and_comes_back() {
    with_temp_namespace_alone("node", |space| {
        if !local() {
            eprintln!("left out: only a node of e2e/cluster/up can be stopped");
            return;
        }
        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady()), stream("a", "a")]);
        space.address("a").watch().flows(10_000);
        let lost = space.pod_of("a");
        let began = Instant::now();
        let paused = pause_node(node_of(&lost));
        let (next, _) = await_within(NOTICED, "another pod is Ready on another node", || {
            let pods = space.pods().into_iter();
            pods.into_iter().find(|pod| is_ready(pod) && node_of(pod) != node_of(&lost))
        });
        println!("a Ready pod on another node {:.0?} after the node was lost", began.elapsed());
        space.ready("Feed", "a");
        // At the address of a node that is there.
        let port = space.address("a").host.rsplit(':').next().unwrap_or_default().to_owned();
        let host = next["status"]["hostIP"].as_str().unwrap_or_default();
        let viewer = Address::of(&format!("http://{host}:{port}/a")).at(&space.address("a").path).watch();
        viewer.flows(10_000);

        drop(paused);
        await_within(NOTICED, "the node is Ready again", || {
            is_ready(&space.get("Node", node_of(&lost))).then_some(())
        });
        await_condition("the pod that was lost is gone", || (space.pods().len() == 1).then_some(()));
        assert_eq!(uid(&space.pod_of("a")), uid(&next), "{} came back", name(&lost));
        viewer.flows(10_000);
    });
}

//! Whose path it is, and Clusters that are not there.

use millrace_e2e_kubernetes::{
    cluster, condition, feed, is_ready, message, object, steady, stream, with, with_temp_namespace,
};
use serde_json::json;

#[test]
fn the_stream_that_had_a_path_keeps_it_and_the_other_gets_it_after_that() {
    with_temp_namespace("paths", |space| {
        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady()), feed("b", &steady())]);
        space.apply(&with(stream("zuerst", "a"), &json!({"path": "/live"})));
        let address = space.address("zuerst");
        let viewer = address.watch();
        // By name the other would be the first.
        space.apply(&with(stream("after", "b"), &json!({"path": "/live"})));
        let taken = space.is("Stream", "after", "PathTaken");
        assert_eq!(condition(&taken, "Ready")["status"], "False");
        assert!(
            message(&taken).contains("zuerst") && message(&taken).contains("/live"),
            "{}",
            message(&taken)
        );
        assert!(is_ready(&space.get("Stream", "zuerst")));
        viewer.flows(200_000);
        let events = millrace_e2e_kubernetes::await_condition("an event says so", || {
            Some(space.events("Stream", "after", "PathTaken")).filter(|all| !all.is_empty())
        });
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["type"], "Warning");

        space.delete("Stream", "zuerst");
        space.ready("Stream", "after");
        assert_eq!(space.address("after").url(), address.url());
        address.watch().flows(100_000);
    });
}

#[test]
fn a_cluster_may_come_after_its_feeds_and_streams() {
    with_temp_namespace("later", |space| {
        let on = json!({"clusterRef": {"name": "later"}});
        space.apply_all(&[with(feed("a", &steady()), &on), with(stream("a", "a"), &on)]);
        for kind in ["Feed", "Stream"] {
            let waiting = space.is(kind, "a", "ClusterNotFound");
            assert_eq!(condition(&waiting, "Ready")["status"], "False");
            assert!(message(&waiting).contains("later"), "{}", message(&waiting));
        }
        assert!(space.pods().is_empty());
        space.apply(&cluster("later", &json!({})));
        space.address("a").watch().flows(100_000);

        // A second one has pods and a port of its own, and the same paths.
        let on = json!({"clusterRef": {"name": "second"}});
        space.apply_all(&[
            cluster("second", &json!({})),
            with(feed("b", &steady()), &on),
            with(stream("b", "b"), &json!({"path": "/a", "clusterRef": {"name": "second"}})),
        ]);
        let (one, other) = (space.address("a"), space.address("b"));
        assert!(one.path == other.path && one.host != other.host, "{one:?} {other:?}");
        other.watch().flows(100_000);

        // What a Feed names and is not there is said at whoever names it.
        space.apply(&object(
            "Stream",
            "lost",
            &json!({"path": "/lost", "feeds": ["nobody"], "clusterRef": {"name": "later"}}),
        ));
        let lost = space.is("Stream", "lost", "FeedNotFound");
        assert!(message(&lost).contains("nobody"), "{}", message(&lost));
        space.ready("Stream", "a");
    });
}

#[test]
fn a_cluster_that_is_deleted_while_in_use_takes_its_pods_and_says_so() {
    with_temp_namespace("gone", |space| {
        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady()), stream("a", "a")]);
        let viewer = space.address("a").watch();
        viewer.flows(10_000);
        space.delete("Cluster", "default");
        space.is("Feed", "a", "ClusterNotFound");
        space.is("Stream", "a", "ClusterNotFound");
        for kind in ["Pod", "ConfigMap", "Secret", "Service", "PodDisruptionBudget"] {
            millrace_e2e_kubernetes::await_condition(&format!("every {kind} is gone"), || {
                space.list(kind, "millrace.dev/cluster=default").is_empty().then_some(())
            });
        }
        viewer.end();
        space.apply(&cluster("default", &json!({})));
        space.address("a").watch().flows(10_000);
    });
}

//! Which pods there are, and who is in which.

use std::{collections::BTreeSet, time::Duration};

use millrace_e2e::{remux, tracks};
use millrace_e2e_kubernetes::{
    Space, await_condition, await_within, cluster, condition, feed, local, name, object, on_node, pattern,
    steady, stream, uid, with, with_temp_namespace,
};
use serde_json::{Value, json};

fn in_twos() -> Value {
    cluster("default", &json!({"servers": {"packing": {"feedsPerPod": 2}}}))
}

fn pod_of(space: &Space, feed: &str) -> String {
    space.ready("Feed", feed);
    uid(&space.pod_of(feed)).to_owned()
}

#[test]
fn feeds_that_come_change_and_go_never_move_another() {
    with_temp_namespace("sticky", |space| {
        space.apply(&in_twos());
        for feed in ["a", "b", "c"] {
            space.apply_all(&[millrace_e2e_kubernetes::feed(feed, &steady()), stream(feed, feed)]);
            space.ready("Feed", feed);
        }
        let (a, b, c) = (pod_of(space, "a"), pod_of(space, "b"), pod_of(space, "c"));
        assert_eq!(a, b);
        assert_ne!(a, c);
        let viewers = ["a", "c"].map(|stream| space.address(stream).watch());
        let stay = || viewers.iter().for_each(|viewer| viewer.flows(50_000));

        // One more fills the second pod, an edit changes none, and another name later in the alphabet neither.
        space.apply_all(&[feed("d", &steady()), stream("d", "d")]);
        assert_eq!(pod_of(space, "d"), c);
        space.patch("Feed", "b", &json!({"spec": {"activation": "Continuous"}}));
        space.awaits("runs", "Feed", "b", |feed| (feed["status"]["state"] == "Running").then_some(()));
        stay();
        space.delete("Stream", "b");
        space.delete("Feed", "b");
        space.apply_all(&[feed("first", &steady()), stream("first", "first")]);
        // The place of the one that went is free.
        assert_eq!(pod_of(space, "first"), a);
        stay();
        assert_eq!(
            space.pod_uids().into_values().collect::<BTreeSet<_>>(),
            BTreeSet::from([a.clone(), c.clone()])
        );

        // A Feed made again under its name is another one; the pod of the last to go goes with it.
        for gone in ["c", "d"] {
            space.delete("Stream", gone);
            space.delete("Feed", gone);
        }
        await_condition("the pod that nobody needs is gone", || {
            (space.pod_uids().into_values().collect::<Vec<_>>() == [a.clone()]).then_some(())
        });
        // Packing that changes moves nobody who runs.
        space.apply(&cluster("default", &json!({"servers": {"packing": {"feedsPerPod": 1}}})));
        space.awaits("was seen as it is now", "Cluster", "default", |cluster| {
            let seen = condition(cluster, "Ready")["observedGeneration"].clone();
            (seen == cluster["metadata"]["generation"]).then_some(())
        });
        space.apply_all(&[feed("e", &steady()), stream("e", "e")]);
        assert_ne!(pod_of(space, "e"), a);
        assert_eq!(pod_of(space, "a"), a);
        // Another viewer: as long as there are no balancers, one may have come through the pod that is gone.
        space.address("a").watch().flows(50_000);
    });
}

#[test]
fn pods_are_spread_over_nodes_and_kept_by_one_budget() {
    with_temp_namespace("spread", |space| {
        space.apply(&cluster("default", &json!({})));
        for feed in ["a", "b", "c"] {
            space.apply_all(&[millrace_e2e_kubernetes::feed(feed, &steady()), stream(feed, feed)]);
        }
        // Who waits long for a pod of its own may be a guest elsewhere at first.
        let pods: Vec<Value> = await_condition("each Feed has a pod of its own", || {
            let pods: Vec<Value> = ["a", "b", "c"].iter().map(|feed| space.pod_of(feed)).collect();
            let names: BTreeSet<_> = pods.iter().map(name).collect();
            (names.len() == 3).then_some(pods)
        });
        let nodes: BTreeSet<_> =
            pods.iter().map(|pod| pod["spec"]["nodeName"].as_str().unwrap_or_default()).collect();
        let all =
            space.list("Node", "").into_iter().filter(|node| node["spec"].get("taints").is_none()).count();
        assert!(nodes.len() >= all.min(2), "{nodes:?}");
        let budgets = space.list("PodDisruptionBudget", "");
        let names: Vec<_> = budgets.iter().map(name).collect();
        assert_eq!(names, ["default-balancers", "default-servers"]);
        // An integer that must stay: for pods of a custom resource Kubernetes can count nothing else.
        assert_eq!(budgets[1]["spec"]["minAvailable"], 2);
        await_condition("the budget counts the pods", || {
            (space.get("PodDisruptionBudget", "default-servers")["status"]["currentHealthy"] == 3)
                .then_some(())
        });
        // Of two evictions at once one is refused.
        let evict = |pod: &Value| {
            let what = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name(pod), "namespace": space.name()}});
            let path =
                format!("create --raw /api/v1/namespaces/{}/pods/{}/eviction -f -", space.name(), name(pod));
            millrace_e2e_kubernetes::kubectl(&path).input(&what.to_string()).run().code == Some(0)
        };
        let evicted = pods.iter().filter(|pod| evict(pod)).count();
        assert_eq!(evicted, 1);
        await_condition("three pods are Ready again", || {
            (space.get("PodDisruptionBudget", "default-servers")["status"]["currentHealthy"] == 3)
                .then_some(())
        });
    });
}

#[test]
fn a_stream_in_a_pod_of_its_own_gets_its_feed_from_another() {
    with_temp_namespace("own", |space| {
        let copy = remux("-c copy -f mpegts");
        space.apply_all(&[
            cluster("default", &json!({})),
            feed("pattern", &pattern()),
            stream("shared", "pattern"),
            with(stream("own", "pattern"), &json!({"pod": "Own", "command": copy})),
        ]);
        let own = space.address("own");
        assert_eq!(tracks(&format!("{}?keyframe", own.url())), ["video h264", "audio aac"]);
        let pods = space.pods();
        assert_eq!(pods.len(), 2, "{:?}", space.pod_uids());
        // Any pod answers for any path: whichever the Service chooses.
        for _ in 0..6 {
            assert_eq!(space.address("shared").status(), 200);
            assert_eq!(own.status(), 200);
            assert_eq!(own.at("/nothing").status(), 404);
        }
        // Both pods report, and their Feed runs once.
        let viewers = [own.watch(), space.address("shared").watch()];
        for viewer in &viewers {
            viewer.flows(20_000);
        }
        let feed_pod = space.pod_of("pattern");
        let other = pods.iter().find(|pod| uid(pod) != uid(&feed_pod)).unwrap();
        space.kill(name(other));
        let ((), took) = await_within(Duration::from_mins(2), "the Stream is served by a new pod", || {
            let seen = space.pods().into_iter().find(|pod| uid(pod) != uid(&feed_pod))?;
            (uid(&seen) != uid(other) && own.status() == 200).then_some(())
        });
        println!("a Stream's own pod came back after {took:.1?}");
        space.address("shared").watch().flows(20_000);
        assert_eq!(uid(&space.pod_of("pattern")), uid(&feed_pod));
    });
}

#[test]
fn a_stream_of_another_image_has_a_pod_with_that_image() {
    with_temp_namespace("image", |space| {
        if !local() {
            eprintln!("left out: only nodes of e2e/cluster/up can be given another name of an image");
            return;
        }
        for node in space.list("Node", "") {
            let tag = [
                "ctr",
                "-n",
                "k8s.io",
                "images",
                "tag",
                "--force",
                "millrace.dev/transcoder:0.1.0",
                "millrace.dev/other:1",
            ];
            on_node(name(&node), &tag).ok();
        }
        let copy = remux("-c copy -f mpegts");
        let other = json!({"image": "millrace.dev/other:1", "command": copy});
        space.apply_all(&[
            cluster("default", &json!({})),
            feed("pattern", &pattern()),
            stream("plain", "pattern"),
            with(stream("other", "pattern"), &other),
        ]);
        space.address("other").watch().flows(20_000);
        let images = |pod: &Value| pod["spec"]["initContainers"].to_string();
        let pods = space.pods();
        assert_eq!(
            pods.iter().filter(|pod| images(pod).contains("millrace.dev/other:1")).count(),
            1,
            "{:?}",
            space.pod_uids()
        );
        assert_eq!(pods.len(), 2);
        // In its Feed's pod, that has both.
        space.apply_all(&[
            with(feed("alien", &pattern()), &json!({"image": "millrace.dev/other:1"})),
            object("Stream", "alien", &json!({"path": "/alien", "feeds": ["alien"]})),
        ]);
        space.address("alien").watch().flows(20_000);
        assert!(images(&space.pod_of("alien")).contains("millrace.dev/other:1"));
    });
}

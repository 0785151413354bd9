//! Edits: what changes live, what replaces a pod, and what is refused.

use std::time::{Duration, Instant};

use millrace_e2e::Watcher;
use millrace_e2e_kubernetes::{
    Address, Operator, Space, await_condition, cluster, condition, feed, is_ready, message, name, steady,
    stream, uid, with, with_temp_namespace, with_temp_namespace_alone,
};
use serde_json::{Value, json};

fn simple(space: &Space) -> Address {
    space.apply_all(&[
        cluster("default", &json!({})),
        feed("a", &steady()),
        stream("a", "a"),
        stream("b", "a"),
    ]);
    space.address("b");
    space.address("a")
}

fn restarts(pod: &Value) -> i64 {
    let all = |field: &str| {
        let statuses = pod["status"][field].as_array().cloned().unwrap_or_default();
        statuses.iter().filter_map(|one| one["restartCount"].as_i64()).sum::<i64>()
    };
    all("containerStatuses") + all("initContainerStatuses")
}

#[test]
fn an_edit_is_run_within_two_seconds_without_a_restart() {
    with_temp_namespace("live", |space| {
        let address = simple(space);
        let viewer = address.watch();
        let pod = space.pod_of("a");
        let mut took = Vec::new();
        for round in 0..7 {
            let path = format!("/b{round}");
            space.apply(&with(stream("b", "a"), &json!({"path": path})));
            let began = Instant::now();
            // The pod reports the revision, and so the Stream is Ready as it is now.
            await_condition("the pod reports that it runs the edit", || {
                space.find("Stream", "b").filter(is_ready).map(drop)
            });
            took.push(began.elapsed());
            // Balancers hear it at the same time from the pod itself.
            await_condition("the new path is served", || (address.at(&path).status() == 200).then_some(()));
        }
        took.sort();
        println!("from an edit to the pod running it, as reported: {took:.2?}");
        assert!(took[3] <= Duration::from_secs(2), "{took:?}");
        viewer.flows(100_000);
        assert_eq!(address.at("/b0").status(), 404);
        let now = space.get("Pod", name(&pod));
        assert_eq!((uid(&now), restarts(&now)), (uid(&pod), 0));

        // A Feed that is deleted while it is viewed ends for its viewers; what is left says what it lacks.
        space.delete("Feed", "a");
        let lost = space.is("Stream", "a", "FeedNotFound");
        assert!(message(&lost).contains('a'), "{lost}");
        viewer.end();
        space.apply(&feed("a", &steady()));
        space.address("a").watch().flows(10_000);
    });
}

/// A viewer who comes back at once when it is cut off: the longest time without a byte.
fn longest_gap(address: &Address, until: impl Fn() -> bool) -> Duration {
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    let mut viewer: Option<(Watcher, u64)> = None;
    while !until() {
        match &mut viewer {
            Some((watcher, seen)) => {
                let now = watcher.received();
                if now > *seen {
                    *seen = now;
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
                if watcher.ended() {
                    viewer = None;
                }
            }
            None => viewer = address.connect().map(|watcher| (watcher, 0)),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    longest.max(last.elapsed())
}

#[test]
fn what_cannot_change_live_replaces_the_pod_and_the_new_one_is_ready_before_the_old_one_goes() {
    with_temp_namespace("replace", |space| {
        let address = simple(space);
        space.apply_all(&[feed("other", &steady()), stream("other", "other")]);
        let other = uid(&space.pod_of("other")).to_owned();
        let first = space.pod_of("a");
        for change in [
            json!({"resources": {"requests": {"cpu": "11m"}}}),
            json!({"resources": {"requests": {"cpu": "12m"}, "limits": {"memory": "400Mi"}}}),
        ] {
            let old = space.pod_of("a");
            space.patch("Feed", "a", &json!({"spec": change}));
            let done = std::cell::Cell::new(None);
            let gap = longest_gap(&address, || {
                let old_now = space.find("Pod", name(&old));
                let goes =
                    old_now.as_ref().is_none_or(|pod| pod["metadata"].get("deletionTimestamp").is_some());
                let new_ready = space
                    .pods()
                    .iter()
                    .any(|pod| uid(pod) != uid(&old) && uid(pod) != other && is_ready(pod));
                assert!(!goes || new_ready, "the old pod goes before a new one is Ready");
                if goes && old_now.is_none() && done.get().is_none() {
                    done.set(Some(Instant::now()));
                }
                // A while after the old one has gone.
                done.get().is_some_and(|at: Instant| at.elapsed() > Duration::from_secs(2))
            });
            println!("the longest time without media while the pod was replaced: {gap:.2?}");
            assert!(gap < Duration::from_secs(10), "{gap:?}");
            assert_ne!(uid(&space.pod_of("a")), uid(&first));
        }
        assert_eq!(uid(&space.pod_of("other")), other);
        space.address("other").watch().flows(50_000);
        space.ready("Feed", "a");
    });
}

#[test]
fn a_bad_edit_keeps_the_last_good_running_and_says_so() {
    with_temp_namespace("bad", |space| {
        let address = simple(space);
        let viewer = address.watch();
        let pods = space.pod_uids();
        // Right by itself, and wrong beside the Cluster, which has no such template.
        let bad = json!({"spec": {"source": {"command": null, "template": {"name": "nope"}}}});
        space.patch("Feed", "a", &bad);
        let said = space.is("Feed", "a", "TemplateNotFound");
        assert_eq!(condition(&said, "Ready")["status"], "False");
        assert!(message(&said).contains("nope"), "{}", message(&said));
        assert_eq!(condition(&said, "Ready")["observedGeneration"], said["metadata"]["generation"]);
        viewer.flows(200_000);
        address.watch().flows(10_000);
        assert_eq!(pods, space.pod_uids());
        // Everything else can still be edited meanwhile.
        space.apply(&with(stream("b", "a"), &json!({"path": "/elsewhere"})));
        address.at("/elsewhere").answers(200);
        // The template comes: the same edit is good now, without a touch.
        space.apply(&cluster("default", &json!({"templates": {"nope": {"command": steady()}}})));
        space.ready("Feed", "a");
        assert_eq!(pods, space.pod_uids());
        address.watch().flows(10_000);
        let events = space.events("Feed", "a", "TemplateNotFound");
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].get("series").is_none_or(Value::is_null), "{events:?}");
    });
}

#[test]
fn what_is_edited_by_hand_is_put_right() {
    with_temp_namespace("hand", |space| {
        let address = simple(space);
        let viewer = address.watch();
        let slot = space.list("ConfigMap", "millrace.dev/slot")[0].clone();
        space.patch(
            "Service",
            "default-balancers",
            &json!({"spec": {"selector": {"millrace.dev/role": "nobody"}}}),
        );
        space.patch("PodDisruptionBudget", "default-servers", &json!({"spec": {"minAvailable": 7}}));
        space.patch("ConfigMap", name(&slot), &json!({"data": {"millrace.yaml": "nonsense"}}));
        space.delete("Secret", name(&slot));
        await_condition("the Service selects the media pods again", || {
            (space.get("Service", "default-balancers")["spec"]["selector"]["millrace.dev/role"] == "balancer")
                .then_some(())
        });
        await_condition("the budget is as before", || {
            (space.get("PodDisruptionBudget", "default-servers")["spec"]["minAvailable"] == 0).then_some(())
        });
        await_condition("the ConfigMap is as before", || {
            (space.get("ConfigMap", name(&slot))["data"]["millrace.yaml"] == slot["data"]["millrace.yaml"])
                .then_some(())
        });
        space.awaits("is there again", "Secret", name(&slot), |secret| secret["data"].get("token").map(drop));
        space.delete("Service", "default-balancers");
        space.ready("Stream", "a");
        viewer.flows(100_000);
        space.address("a").watch().flows(10_000);
    });
}

#[test]
fn pods_run_on_without_an_operator_and_edits_made_meanwhile_arrive() {
    with_temp_namespace_alone("away", |space| {
        let address = simple(space);
        let viewer = address.watch();
        let (pods, pod) = (space.pod_uids(), space.pod_of("a"));
        Operator.scale(0);
        viewer.flows(100_000);
        let another = address.watch();
        space.apply(&with(stream("b", "a"), &json!({"path": "/meanwhile"})));
        space.apply_all(&[feed("new", &steady()), stream("new", "new")]);
        another.flows(200_000);
        assert_eq!(address.at("/meanwhile").status(), 404);
        Operator.scale(2);
        address.at("/meanwhile").answers(200);
        space.address("new").watch().flows(10_000);
        viewer.flows(10_000);
        another.flows(10_000);
        assert!(pods.iter().all(|(name, uid)| space.pod_uids().get(name) == Some(uid)), "{pods:?}");
        assert_eq!(restarts(&space.get("Pod", name(&pod))), 0);
    });
}

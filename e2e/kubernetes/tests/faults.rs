//! What goes wrong, and what is seen of it.

use millrace_e2e::STEADY;
use millrace_e2e_kubernetes::{
    Space, await_condition, cluster, condition, feed, is_ready, local, message, name, on_node, steady,
    stream, uid, with, with_temp_namespace,
};
use serde_json::{Value, json};

fn shell(script: &str) -> Value {
    json!(["sh", "-c", script.replace('{', "{{").replace('}', "}}")])
}

fn always(name: &str, argv: &Value) -> Value {
    with(feed(name, argv), &json!({"activation": "Continuous"}))
}

/// Restarts of each container of a pod.
fn restarts(pod: &Value) -> i64 {
    let all = |field: &str| {
        let statuses = pod["status"][field].as_array().cloned().unwrap_or_default();
        statuses.iter().filter_map(|one| one["restartCount"].as_i64()).sum::<i64>()
    };
    all("containerStatuses") + all("initContainerStatuses")
}

/// SIGKILL for whatever has `mark` in its command line, in a sidecar that has a shell.
fn kill_marked(space: &Space, pod: &str, mark: &str) {
    let (first, rest) = mark.split_at(1);
    let script = format!(
        "for f in /proc/[0-9]*/cmdline; do p=${{f#/proc/}}; p=${{p%/cmdline}}; \
         if tr '\\0' ' ' <$f | grep -q '^sh -c.*[{first}]{rest}'; then kill -9 $p && echo killed $p; fi; done"
    );
    let said = space.exec(pod, "transcoder", &["sh", "-c", &script]);
    assert!(said.contains("killed"), "{said}");
}

#[test]
fn a_command_that_fails_is_shown_with_its_code_and_words_and_told_once() {
    with_temp_namespace("fails", |space| {
        space.apply_all(&[
            cluster("default", &json!({"servers": {"packing": {"feedsPerPod": 4}}})),
            always("bad", &shell("echo this is why >&2; exit 3")),
            always("missing", &json!(["no-such-program", "-x"])),
            always("good", &steady()),
            stream("good", "good"),
            stream("bad", "bad"),
        ]);
        let failed = space.awaits("says how it ended", "Feed", "bad", |feed| {
            let exit = &feed["status"]["lastExit"];
            let told = condition(feed, "Ready")["reason"] == "Backoff";
            (exit["code"] == 3 && feed["status"]["state"] == "Backoff" && told).then(|| feed.clone())
        });
        assert!(
            failed["status"]["lastExit"]["stderr"].as_str().unwrap_or_default().contains("this is why"),
            "{failed}"
        );
        assert!(failed["status"]["lastExit"]["at"].is_string(), "{failed}");
        assert_eq!(condition(&failed, "Ready")["reason"], "Backoff");
        assert_eq!(condition(&failed, "Ready")["status"], "False");
        let missing = space.is("Feed", "missing", "Backoff");
        assert!(
            message(&missing).contains("no-such-program")
                || missing["status"]["lastExit"].to_string().contains("no-such-program"),
            "{missing}"
        );
        // Their neighbour in the same pod is well.
        let viewer = space.address("good").watch();
        let pod = space.pod_of("good");
        assert_eq!(name(&space.pod_of("good")), failed["status"]["pod"]);
        let transition = condition(&failed, "Ready")["lastTransitionTime"].clone();
        // Some restarts later: nothing new is told, since nothing is new.
        viewer.flows(2_000_000);
        for feed in ["bad", "missing"] {
            let events = space.events("Feed", feed, "Backoff");
            assert!(events.len() == 1 && events[0].get("series").is_none_or(Value::is_null), "{events:?}");
            assert_eq!(events[0]["type"], "Warning");
        }
        assert_eq!(condition(&space.get("Feed", "bad"), "Ready")["lastTransitionTime"], transition);
        // Corrected, it runs, in the same pod.
        space.apply(&always("bad", &steady()));
        let fixed = space.ready("Feed", "bad");
        assert_eq!(fixed["status"]["pod"], name(&pod));
        space.address("bad").watch().flows(10_000);
        viewer.flows(10_000);
    });
}

#[test]
fn a_command_that_is_killed_comes_back_and_its_viewers_stay() {
    with_temp_namespace("killed", |space| {
        let marked = format!(": marked-one; {STEADY}");
        space.apply_all(&[cluster("default", &json!({})), feed("a", &shell(&marked)), stream("a", "a")]);
        let viewer = space.address("a").watch();
        viewer.flows(100_000);
        let pod = space.pod_of("a");
        kill_marked(space, name(&pod), "marked-one");
        let feed = space.awaits("says that it was killed, and runs", "Feed", "a", |feed| {
            let status = &feed["status"];
            (status["lastExit"]["signal"] == 9 && status["state"] == "Running").then(|| feed.clone())
        });
        assert!(is_ready(&feed), "{feed}");
        viewer.flows(100_000);
        let now = space.get("Pod", name(&pod));
        assert_eq!((uid(&now), restarts(&now)), (uid(&pod), 0));
    });
}

#[test]
fn one_that_eats_memory_ends_alone_and_its_neighbours_never_notice() {
    with_temp_namespace("memory", |space| {
        let limits = json!({"limits": {"memory": "512Mi"}, "memoryPerProcess": "48Mi"});
        let eater = "x=aaaaaaaaaaaaaaaa; while [ ${#x} -lt 400000000 ]; do x=$x$x; done; sleep 60";
        space.apply_all(&[
            cluster("default", &json!({"servers": {"packing": {"feedsPerPod": 2}, "resources": limits}})),
            always("good", &steady()),
            stream("good", "good"),
        ]);
        let viewer = space.address("good").watch();
        let pod = space.pod_of("good");
        space.apply_all(&[always("eater", &shell(eater)), stream("eater", "eater")]);
        let eater = space.awaits("says that memory ended it", "Feed", "eater", |feed| {
            let said = format!("{} {}", feed["status"]["lastExit"], message(feed)).to_lowercase();
            (feed["status"]["lastExit"]["signal"] == 9 && said.contains("memory")).then(|| feed.clone())
        });
        assert_eq!(eater["status"]["pod"], name(&pod));
        assert_eq!(condition(&eater, "Ready")["status"], "False");
        viewer.flows(1_000_000);
        let now = space.get("Pod", name(&pod));
        assert_eq!((uid(&now), restarts(&now)), (uid(&pod), 0));
        let good = space.ready("Feed", "good");
        assert!(good["status"].get("lastExit").is_none(), "{good}");
    });
}

#[test]
fn a_pod_that_is_deleted_or_killed_comes_back() {
    with_temp_namespace("deleted", |space| {
        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady()), stream("a", "a")]);
        let address = space.address("a");
        address.watch().flows(10_000);
        let mut pod = space.pod_of("a");
        for how in ["deleted", "gone at once"] {
            if how == "deleted" {
                space.delete("Pod", name(&pod));
            } else {
                space.kill(name(&pod));
            }
            let next = await_condition(&format!("another pod is Ready: the one before was {how}"), || {
                space.pods().into_iter().find(|other| uid(other) != uid(&pod) && is_ready(other))
            });
            assert_eq!(
                next["metadata"]["labels"]["millrace.dev/slot"],
                pod["metadata"]["labels"]["millrace.dev/slot"]
            );
            address.watch().flows(10_000);
            pod = next;
        }
        if !local() {
            return;
        }
        // The media pod's own process is killed: the container is started again, in the same pod.
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        let slot = pod["metadata"]["labels"]["millrace.dev/slot"].as_str().unwrap_or_default();
        let script = format!(
            "kill -9 $(grep -al 'media-pod.*{slot}' /proc/[0-9]*/cmdline | grep -v self | cut -d/ -f3)"
        );
        on_node(node, &["sh", "-c", &script]).run();
        space.awaits("was started again", "Pod", name(&pod), |pod| {
            (restarts(pod) >= 1 && is_ready(pod)).then_some(())
        });
        address.watch().flows(10_000);
        space.ready("Feed", "a");
    });
}

#[test]
fn an_object_that_cannot_be_read_stops_no_other() {
    with_temp_namespace("unreadable", |space| {
        space.apply_all(&[
            cluster("default", &json!({})),
            feed("a", &steady()),
            stream("a", "a"),
            feed("b", &steady()),
            stream("b", "b"),
        ]);
        let viewer = space.address("b").watch();
        space.address("a");
        // The schema takes this text; as a number of seconds it is out of range.
        space.patch("Feed", "b", &json!({"spec": {"activation": "604801"}}));
        let told = await_condition("an event says so", || space.events("Feed", "b", "Unreadable").pop());
        assert!(told["note"].as_str().unwrap_or_default().contains("604800"), "{told}");
        assert!(!is_ready(&space.get("Feed", "b")), "Ready is said of the object as it was, at most");
        viewer.flows(100_000);
        // The others can be edited, made and deleted.
        space.apply(&with(stream("a", "a"), &json!({"path": "/moved"})));
        space.address("a").at("/moved").answers(200);
        space.apply_all(&[feed("c", &steady()), stream("c", "c")]);
        space.address("c").watch().flows(10_000);
        space.patch("Feed", "b", &json!({"spec": {"activation": 5}}));
        space.ready("Feed", "b");
        viewer.flows(10_000);
    });
}

#[test]
fn an_image_that_cannot_be_pulled_is_said_and_the_old_pod_runs_on() {
    with_temp_namespace("pull", |space| {
        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady()), stream("a", "a")]);
        let viewer = space.address("a").watch();
        let old = space.pod_of("a");
        space.patch("Feed", "a", &json!({"spec": {"image": "127.0.0.1:1/nothing:here"}}));
        let said = space.is("Feed", "a", "ImagePull");
        assert!(message(&said).contains("127.0.0.1:1/nothing:here"), "{}", message(&said));
        viewer.flows(200_000);
        assert!(is_ready(&space.get("Pod", name(&old))));
        space.patch("Feed", "a", &json!({"spec": {"image": null}}));
        space.ready("Feed", "a");
        assert_eq!(uid(&space.pod_of("a")), uid(&old));
        await_condition("the pod that never came is gone", || (space.pods().len() == 1).then_some(()));
        viewer.flows(10_000);
    });
}

#[test]
fn a_namespace_that_is_deleted_goes() {
    with_temp_namespace("whole", |space| {
        let other = Space::create(&format!("{}-inner", space.name()));
        other.apply_all(&[
            cluster("default", &json!({})),
            with(feed("a", &steady()), &json!({"each": ["x", "y"]})),
            always("b", &steady()),
            stream("b", "b"),
        ]);
        let viewer = other.address("b").watch();
        viewer.flows(10_000);
        other.end();
        await_condition("the namespace is gone", || {
            other.find("Namespace", other.name()).is_none().then_some(())
        });
        viewer.end();
    });
}

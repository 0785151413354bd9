//! Through a balancer.

use millrace_e2e::{Pod, Watcher, binary, eventually, run};
use serde_json::json;

use crate::{
    senders::{Sender, clip, door, linked, login, until_end},
    support::{Cluster, known},
};

/// Waits until the balancer knows where to publish, too.
fn ready(edge: &Pod) {
    known(edge, "/door.ts");
    eventually("the place to publish to is known", || {
        (edge.metric("millrace_edge_paths") == 2).then_some(())
    });
}

#[test]
fn what_is_sent_to_a_balancer_is_what_the_owner_and_viewers_get() {
    let folder = tempfile::tempdir().unwrap();
    let (file, bytes) = clip(folder.path());
    for way in ["http", "until end", "link"] {
        let cluster = Cluster::new();
        let edge = cluster.balancer("edge", "", &[]);
        let server = cluster.server("one", &door(&json!({}), &json!({})), &[("door", 1)], &edge);
        ready(&edge);
        let (viewer, beyond) =
            (Watcher::new(server.pod.viewer("/door.ts")), Watcher::new(edge.viewer("/door.ts")));
        server.pod.feed_is("door", "Silent");
        eventually("the balancer waits for it, too", || {
            (edge.metric("millrace_edge_upstreams") == 1).then_some(())
        });
        match way {
            "http" => {
                let put = format!(
                    "cat {} | curl -sS -w %{{http_code}} -T - {}",
                    file.display(),
                    edge.url("/live/door")
                );
                assert_eq!(Sender::shell(&put).end(), (true, "204".to_owned()));
            }
            "link" => {
                assert_eq!(
                    linked(&edge, &format!("cat {}", file.display()), "").end(),
                    (true, String::new())
                );
            }
            _ => assert!(until_end(&edge, "PUT /live/door HTTP/1.0", &bytes).starts_with("HTTP/1.1 204 ")),
        }
        eventually("all of it came", || (viewer.body().len() >= bytes.len()).then_some(()));
        assert!(viewer.body() == bytes, "{way}");
        // All came at once: who watches it live at the balancer begins at the newest picture.
        let end = &bytes[bytes.len() - 10_000..];
        eventually("its end came through", || beyond.body().ends_with(end).then_some(()));
        assert_eq!(edge.metric("millrace_edge_published_bytes_total"), i64::try_from(bytes.len()).unwrap());
        assert_eq!(edge.metric("millrace_edge_publish_dropped_bytes_total"), 0);
        for pod in [&edge, &server.pod] {
            pod.logged("publisher joined");
            pod.logged("publisher left");
        }
        assert_eq!(edge.metric("millrace_edge_publishers"), 0);
    }
}

#[test]
fn the_owner_says_who_may_publish_and_that_one_does_already() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let locked = json!({"access": {"basic": {"secretRef": {"name": "login"}}}});
    let server = cluster.server("one", &(login() + &door(&locked, &json!({}))), &[("door", 1)], &edge);
    ready(&edge);
    let put = |login: &str| {
        let to = edge.url("/live/door");
        Sender::shell(&format!("echo hello | curl -sS -o /dev/null -w %{{http_code}} {login} -T - {to}"))
            .end()
            .1
    };
    assert_eq!(put(""), "401");
    assert_eq!(put("-u ann:wrong"), "401");
    let (good, said) = linked(&edge, "echo hello", "ann:wrong@").end();
    assert!(!good && said.contains("a name and a password are needed"), "{said}");
    assert_eq!(put("-u ann:secret"), "204");
    let mut first = Sender::camera(&edge, "red", "-u ann:secret");
    server.pod.feed_is("door", "Running");
    assert_eq!(put("-u ann:secret"), "409");
    let (good, said) = linked(&edge, "echo hello", "ann:secret@").end();
    assert!(!good && said.contains("already"), "{said}");
    assert!(first.sends());
    assert_eq!(edge.metric("millrace_edge_publishers"), 1);
    let watched = run(binary(), &["play", &format!("millrace://{}/publish:/live/door", edge.address())], 30);
    assert_ne!(watched.code, Some(0), "a place to publish to is no stream");
    assert_eq!(edge.status("/live/door"), 404);
}

#[test]
fn the_publisher_and_its_viewers_stay_when_the_owner_is_killed_and_go_on_with_the_next_one() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let yaml = door(&json!({}), &json!({}));
    let mut first = cluster.server("one", &yaml, &[("door", 1)], &edge);
    ready(&edge);
    let mut sender = Sender::camera(&edge, "white", "");
    first.pod.feed_is("door", "Running");
    let viewers: Vec<Watcher> = (0..5).map(|_| Watcher::new(edge.viewer("/door.ts?keyframe"))).collect();
    for viewer in &viewers {
        viewer.flows(40_000);
    }
    first.pod.signal("KILL");
    first.pod.ended();
    edge.logged("a publisher waits for another owner");
    let taken = edge.metric("millrace_edge_published_bytes_total");
    eventually("it sends on", || {
        (edge.metric("millrace_edge_published_bytes_total") > taken + 100_000).then_some(())
    });
    let before = viewers[0].body().len();
    let second = cluster.server("two", &yaml, &[("door", 2)], &edge);
    for viewer in &viewers {
        viewer.flows(40_000);
        assert!(!viewer.ended());
    }
    assert!(sender.sends(), "{}", sender.said());
    assert!(viewers[0].brightness(before) > 192, "the picture goes on");
    second.pod.feed_is("door", "Running");
    edge.logged("is lost");
    assert!(edge.metric("millrace_edge_publish_dropped_bytes_total") > 0);
    assert!(edge.metric("millrace_edge_publish_sessions_total") == 2);

    // Another one, while the one before lives: it is moved, and still there.
    let third = cluster.server("one", &yaml, &[("door", 3)], &edge);
    third.pod.feed_is("door", "Running");
    for viewer in &viewers {
        viewer.flows(40_000);
    }
    assert!(sender.sends(), "{}", sender.said());
}

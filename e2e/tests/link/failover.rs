//! The owner of a feed is killed, and another one has it.

use std::time::{Duration, Instant};

use millrace_e2e::{Watcher, eventually, live, remux, resource, stream};
use serde_json::json;

use crate::support::{Cluster, camera, code, known, ts};

/// A picture of one colour.
fn plain(name: &str, colour: &str, activation: &str) -> String {
    let filter = format!("color={colour}:size=160x120:rate=25");
    let argv = live(&filter, 10, "-b:v 400k -minrate 400k -maxrate 400k -bufsize 100k -nal-hrd cbr -an");
    resource("Feed", name, &json!({"source": {"command": argv}, "activation": activation}))
}

#[test]
fn not_one_viewer_is_disconnected_when_the_owner_is_killed_and_an_older_one_never_comes_back() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let mut first = cluster.server("one", &(plain("a", "black", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let viewers: Vec<Watcher> = (0..20).map(|_| Watcher::new(edge.viewer("/a.ts?keyframe"))).collect();
    for viewer in &viewers {
        viewer.flows(20_000);
    }
    assert!(viewers[0].brightness(0) < 64);

    first.pod.signal("KILL");
    first.pod.ended();
    eventually("the balancer notices", || (edge.metric("millrace_edge_orphans") == 1).then_some(()));
    let before: Vec<usize> = viewers.iter().map(|viewer| viewer.body().len()).collect();
    let second = cluster.server("two", &(plain("a", "white", "OnDemand") + &ts("a")), &[("a", 2)], &edge);
    for (viewer, before) in viewers.iter().zip(&before) {
        viewer.flows(40_000);
        assert!(!viewer.ended());
        assert!(viewer.body().len() > before + 40_000);
    }
    for (viewer, before) in viewers.iter().zip(&before).take(3) {
        assert!(viewer.brightness(*before) > 192, "the picture goes on");
    }
    assert_eq!(edge.metric("millrace_edge_generation_switches_total"), 1);
    assert_eq!(edge.metric("millrace_edge_upstreams"), 1);

    // The old owner comes back and believes that it still is one.
    let _old = cluster.server("one", &(plain("a", "black", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    eventually("it is refused", || {
        (edge.metric("millrace_edge_announcements_refused_total") >= 1).then_some(())
    });
    edge.logged("epoch 1 is over; the feed is at epoch 2");
    let before: Vec<usize> = viewers.iter().map(|viewer| viewer.body().len()).collect();
    for (viewer, before) in viewers.iter().zip(&before).take(3) {
        viewer.flows(40_000);
        assert!(viewer.brightness(*before) > 192, "nobody gets an older epoch");
    }
    // Nor when the new owner dies.
    drop(second);
    eventually("nobody has it", || (edge.metric("millrace_edge_orphans") == 1).then_some(()));
    assert_eq!(code(&edge.url("/a.ts"), &[]), "503");
    assert!(viewers.iter().all(|viewer| !viewer.ended()));
}

#[test]
fn viewers_of_what_cannot_be_continued_are_closed_and_come_again_to_the_new_owner() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let mp4 = json!({"path": "/a.mp4", "feeds": ["a"],
        "command": remux("-an -c copy -f mp4 -movflags +frag_keyframe+empty_moov+default_base_moof")});
    let yaml = camera("a", "OnDemand") + &ts("a") + &stream("mp4", &mp4);
    let first = cluster.server("one", &yaml, &[("a", 1)], &edge);
    known(&edge, "/a.mp4");
    let viewer = Watcher::new(edge.viewer("/a.mp4"));
    viewer.flows(10_000);
    drop(first);
    let _second = cluster.server("two", &yaml, &[("a", 2)], &edge);
    assert!(viewer.end(), "an orderly end");
    Watcher::new(edge.viewer("/a.mp4")).flows(10_000);
}

#[test]
fn a_warm_second_server_takes_over_while_viewers_watch() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let mut epoch = 1;
    let (black, white) =
        (plain("a", "black", "Continuous") + &ts("a"), plain("a", "white", "Continuous") + &ts("a"));
    let mut owner = cluster.server("one", &black, &[("a", epoch)], &edge);
    let mut is_white = false;
    known(&edge, "/a.ts");
    let viewers: Vec<Watcher> = (0..10).map(|_| Watcher::new(edge.viewer("/a.ts?keyframe"))).collect();
    for viewer in &viewers {
        viewer.flows(20_000);
    }
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..5 {
        let next = cluster.server(
            if is_white { "one" } else { "two" },
            if is_white { &black } else { &white },
            &[],
            &edge,
        );
        eventually("it is warm", || {
            (next.pod.entry("feeds", "a")["gop"]["bytes"].as_u64() > Some(0)).then_some(())
        });
        eventually("it is linked", || (edge.metric("millrace_edge_links") == 2).then_some(()));
        epoch += 1;
        let boot = next.holder.boot.as_str().to_owned();
        owner.pod.signal("KILL");
        let killed = Instant::now();
        cluster.grant(&cluster.path(&format!("grants-{boot}.json")), &next.holder, &[("a", epoch)]);
        // What was on its way is not the new owner's: wait for its generation.
        let switches = i64::try_from(epoch).unwrap() - 1;
        let before = viewers[0].body().len();
        while edge.metric("millrace_edge_generation_switches_total") < switches {
            std::thread::sleep(Duration::from_millis(5));
        }
        took.push(killed.elapsed());
        for viewer in &viewers {
            viewer.flows(40_000);
        }
        is_white = !is_white;
        let bright = viewers[0].brightness(before + 20_000);
        assert_eq!(bright > 128, is_white, "{bright}");
        owner.pod.ended();
        owner = next;
    }
    assert!(viewers.iter().all(|viewer| !viewer.ended()));
    println!("from SIGKILL to the new owner's first bytes: {took:?}");
}

#[test]
fn a_link_that_breaks_and_comes_back_is_the_same_owner_and_disconnects_nobody() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let server = cluster.server("one", &(plain("a", "black", "Continuous") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let viewer = Watcher::new(edge.viewer("/a.ts?keyframe"));
    viewer.flows(20_000);
    // Stopped for longer than a link is patient.
    server.pod.signal("STOP");
    eventually("the balancer notices", || (edge.metric("millrace_edge_links") == 0).then_some(()));
    server.pod.signal("CONT");
    eventually("it is back", || (edge.metric("millrace_edge_links") == 1).then_some(()));
    viewer.flows(40_000);
    assert!(!viewer.ended());
    assert_eq!(edge.metric("millrace_edge_upstreams"), 1);
}

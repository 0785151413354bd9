//! Upstreams that go and come back.

use millrace_e2e::{PATTERN, Pod, Watcher, eventually, live, resource};
use serde_json::json;

use crate::{
    setup::{Relay, at, edge, edge_at, naming, origin, port, ports, said, upstream},
    support::{Cluster, code, known, ts},
};

#[test]
fn viewers_stay_while_an_upstream_is_killed_and_started_again() {
    let origin = origin();
    let (one, two, [place]) = (Cluster::new(), Cluster::new(), ports());
    let start = || edge_at(&one, &naming("middle", &[("origin", &at(&origin))]), place);
    let middle = start();
    let leaf = edge(&two, &naming("leaf", &[("middle", &port(place))]));
    known(&leaf, "/a.ts");
    let viewers: Vec<Watcher> = (0..5).map(|_| Watcher::new(leaf.viewer("/a.ts"))).collect();
    for viewer in &viewers {
        viewer.flows(20_000);
    }
    drop(middle);
    eventually("the upstream is away", || (upstream(&leaf, "middle")["state"] == "Away").then_some(()));
    let (status, why) = said(&leaf, "/other.ts");
    assert!(status == 503 && why.contains("Retry-After: ") && why.contains("upstream middle"), "{why}");
    assert!(viewers.iter().all(|viewer| !viewer.ended()));
    let middle = start();
    for viewer in &viewers {
        viewer.flows(50_000);
        let body = viewer.body();
        assert!(body.chunks_exact(188).all(|packet| packet[0] == 0x47), "whole packets");
    }
    assert_eq!(code(&leaf.url("/a.ts"), &["-I"]), "200");
    assert_eq!(origin.entry("streams", "a")["viewers"], 1);
    assert!(leaf.metric("millrace_upstream_lost_total{upstream=\"middle\"}") >= 1);
    drop(middle);
}

#[test]
fn a_link_that_is_lost_for_a_moment_costs_no_byte() {
    // A group of pictures that is longer than any of this: what is missed is still there.
    let long = json!({"source": {"command": live(PATTERN, 6000, "-an")}, "activation": "Continuous"});
    let origin = Pod::start(&(resource("Feed", "a", &long) + &ts("a")));
    let relay = Relay::to(origin.address());
    let cluster = Cluster::new();
    let leaf = edge(&cluster, &naming("leaf", &[("origin", &port(relay.port))]));
    let whole = Watcher::new(origin.viewer("/a.ts"));
    whole.flows(10_000);
    known(&leaf, "/a.ts");
    let viewer = Watcher::new(leaf.viewer("/a.ts"));
    viewer.flows(20_000);
    for _ in 0..3 {
        let before = leaf.metric("millrace_upstream_lost_total{upstream=\"origin\"}");
        relay.cut();
        eventually("the link is lost", || {
            (leaf.metric("millrace_upstream_lost_total{upstream=\"origin\"}") > before).then_some(())
        });
        viewer.flows(30_000);
    }
    let got = viewer.body();
    whole.flows(30_000);
    let all = whole.body();
    assert!(all.windows(got.len()).any(|part| part == got), "{} bytes of {}", got.len(), all.len());
}

#[test]
fn a_stream_that_one_upstream_has_no_more_comes_from_the_next() {
    let (first, second) = (origin(), origin());
    let cluster = Cluster::new();
    let leaf = edge(&cluster, &naming("leaf", &[("first", &at(&first)), ("second", &at(&second))]));
    known(&leaf, "/a.ts");
    let viewer = Watcher::new(leaf.viewer("/a.ts"));
    viewer.flows(20_000);
    assert_eq!(second.entry("streams", "a")["viewers"], 0, "they are asked in their order");
    drop(first);
    viewer.flows(50_000);
    assert_eq!(second.entry("streams", "a")["viewers"], 1);
}

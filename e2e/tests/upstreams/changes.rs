//! Streams that a Cluster gets itself, and upstreams that it names no more.

use millrace_e2e::{Watcher, eventually};

use crate::{
    setup::{at, edge, naming, origin, pulls, said},
    support::{Cluster, camera, known, ts},
};

#[test]
fn a_stream_that_a_member_announces_is_taken_from_there_and_its_viewers_stay() {
    let origin = origin();
    let cluster = Cluster::new();
    let leaf = edge(&cluster, &naming("leaf", &[("origin", &at(&origin))]));
    known(&leaf, "/a.ts");
    let viewers: Vec<Watcher> = (0..3).map(|_| Watcher::new(leaf.viewer("/a.ts"))).collect();
    for viewer in &viewers {
        viewer.flows(20_000);
    }
    let server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &leaf);
    eventually("nothing is pulled any more", || (pulls(&leaf, "origin") == 0).then_some(()));
    for viewer in &viewers {
        viewer.flows(30_000);
        assert!(viewer.body().chunks_exact(188).all(|packet| packet[0] == 0x47), "whole packets");
    }
    assert_eq!(server.pod.entry("feeds", "a")["state"], "Running");
    origin.feed_is("a", "Idle");
    let late = Watcher::new(leaf.viewer("/a.ts"));
    late.flows(10_000);
    assert_eq!(leaf.metric("millrace_edge_upstreams"), 1);
    assert_eq!(leaf.metric("millrace_edge_viewers"), 4);
}

#[test]
fn an_edit_of_upstreams_reaches_who_runs_and_disturbs_no_other() {
    let (first, second) = (origin(), origin());
    let cluster = Cluster::new();
    let leaf = edge(&cluster, &naming("leaf", &[("first", &at(&first))]));
    known(&leaf, "/a.ts");
    let viewer = Watcher::new(leaf.viewer("/a.ts"));
    viewer.flows(10_000);
    leaf.edit(&naming("leaf", &[("first", &at(&first)), ("second", &at(&second))]));
    eventually("both are named", || {
        (leaf.metric("millrace_upstream_up{upstream=\"second\"}") == 1).then_some(())
    });
    viewer.flows(10_000);
    assert_eq!(pulls(&leaf, "first"), 1);
    assert_eq!(leaf.metric("millrace_upstream_lost_total{upstream=\"first\"}"), 0);
    // Whoever watched what the first one had goes on with the second.
    leaf.edit(&naming("leaf", &[("second", &at(&second))]));
    eventually("it is pulled from the second", || (pulls(&leaf, "second") == 1).then_some(()));
    viewer.flows(30_000);
    leaf.edit(&naming("leaf", &[]));
    assert!(viewer.end(), "nobody has it: its viewers are let go, in an orderly way");
    assert_ne!(said(&leaf, "/a.ts").0, 200);
}

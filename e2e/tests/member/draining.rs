//! A server pod that is told to end: its work moves first.

use std::time::{Duration, Instant};

use millrace_e2e::{Watcher, eventually};

use crate::fleet::{Fleet, camera, known, link_of, links, slow_beats};

#[test]
fn not_one_viewer_is_disconnected_while_a_server_pod_drains() {
    let fleet = Fleet::new();
    let edge = fleet.balancer("edge");
    let yaml = slow_beats() + &camera("a", "OnDemand");
    let mut one = fleet.server("one", &yaml, &link_of(&edge), &[]);
    let two = fleet.server("two", &camera("a", "OnDemand"), &link_of(&edge), &[]);
    fleet.give(&one, "a", 1);
    known(&edge, "/a.ts");
    let viewers: Vec<Watcher> = (0..5).map(|_| Watcher::new(edge.viewer("/a.ts?keyframe"))).collect();
    for viewer in &viewers {
        viewer.flows(20_000);
    }

    let began = Instant::now();
    one.pod.signal("TERM");
    fleet.operator.hears_of("one", "it drains", |known| known.beat.draining.then_some(()));
    assert!(began.elapsed() < Duration::from_secs(10), "told at once: {:?}", began.elapsed());
    assert_eq!(one.pod.status("/readyz"), 503);
    assert_eq!(one.pod.metric("millrace_drain_feeds_left"), 1);
    // For longer than news travel, and it serves as before, who comes now, too.
    eventually("nothing ends by itself", || (began.elapsed() > Duration::from_secs(4)).then_some(()));
    for viewer in &viewers {
        viewer.flows(20_000);
    }
    Watcher::new(edge.viewer("/a.ts")).flows(10_000);
    fleet.holds("one", &[("a", 1)]);

    fleet.give(&two, "a", 2);
    eventually("the new owner's pictures come", || {
        (edge.metric("millrace_edge_generation_switches_total") == 1).then_some(())
    });
    fleet.own("one", Vec::new(), vec![fleet.signed("a", &two.holder(), 2)]);
    assert_eq!(one.pod.ended(), Some(0));
    assert!(one.pod.log().iter().any(|line| line.contains("nothing is left to be moved")));
    links(&edge, 1);
    for viewer in &viewers {
        viewer.flows(40_000);
        assert!(!viewer.ended());
    }
}

#[test]
fn what_nobody_takes_over_ends_at_the_deadline_and_a_second_signal_ends_it_at_once() {
    let fleet = Fleet::new();
    let edge = fleet.balancer("edge");
    let mut server = fleet.server("one", &camera("a", "OnDemand"), &link_of(&edge), &["--drain", "4"]);
    fleet.give(&server, "a", 1);
    known(&edge, "/a.ts");
    let viewer = Watcher::new(edge.viewer("/a.ts"));
    viewer.flows(10_000);
    let began = Instant::now();
    server.pod.signal("TERM");
    viewer.flows(20_000);
    assert_eq!(server.pod.ended(), Some(0));
    let took = began.elapsed();
    assert!(took > Duration::from_secs(3) && took < Duration::from_secs(20), "{took:?}");
    assert!(!viewer.ended(), "it waits for an owner");

    let mut server = fleet.server("two", &camera("a", "OnDemand"), &link_of(&edge), &["--drain", "60"]);
    fleet.give(&server, "a", 2);
    viewer.flows(10_000);
    server.pod.signal("TERM");
    server.pod.logged("ending");
    let began = Instant::now();
    server.pod.signal("TERM");
    assert_eq!(server.pod.ended(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_server_pod_that_owns_nothing_is_not_waited_for() {
    let fleet = Fleet::new();
    let edge = fleet.balancer("edge");
    let mut server = fleet.server("one", &camera("a", "Continuous"), &link_of(&edge), &[]);
    links(&edge, 1);
    let began = Instant::now();
    server.pod.signal("TERM");
    assert_eq!(server.pod.ended(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

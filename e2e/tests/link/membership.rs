//! What a balancer tells its operator, and what it does when that says something.

use std::{
    io::Read as _,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use millrace_e2e::{Watcher, eventually};
use millrace_fencing::Holder;
use millrace_report::{
    link::Members,
    message::{Fence, LinkState, Role},
};

use crate::{
    operator::Operator,
    support::{Cluster, camera, code, known, ts},
};

fn is_up(state: LinkState) -> bool {
    matches!(state, LinkState::Up { .. })
}

#[test]
fn the_operator_hears_at_once_who_has_what_and_how_links_end() {
    let (cluster, operator) = (Cluster::new(), Operator::new());
    let edge = operator.balancer(&cluster, "edge", "", &[]);
    assert_eq!(operator.hello("edge").unwrap().role, Role::Balancer);
    let yaml = camera("a", "OnDemand") + &ts("a");
    let mut first = cluster.server("one", &yaml, &[("a", 3)], &edge);
    operator.hears_link("edge", "pod-one", is_up);
    let holder = first.holder.to_string();
    operator.hears("edge", "epoch 3 is announced", |said| {
        let newest = said.newest.as_ref()?.get("uid-a")?;
        (newest.epoch == 3 && newest.holder == holder).then_some(())
    });
    let viewers: Vec<Watcher> = (0..3).map(|_| Watcher::new(edge.viewer("/a.ts"))).collect();
    for viewer in &viewers {
        viewer.flows(10_000);
    }
    operator.hears("edge", "viewers are counted", |said| {
        (said.sessions == 3 && said.bits_per_second > 10_000).then_some(())
    });

    // Its kernel says that it is gone.
    first.pod.signal("KILL");
    let killed = Instant::now();
    operator.hears_link("edge", "pod-one", |state| state == LinkState::ClosedByPeer);
    let heard = killed.elapsed();
    println!("from SIGKILL to the operator's knowing: {heard:?}");
    assert!(heard < Duration::from_millis(2500), "before three seconds of silence would say it: {heard:?}");
    first.pod.ended();

    // Nobody says anything: its age grows, and after 3 s it is lost.
    let second = cluster.server("two", &yaml, &[("a", 4)], &edge);
    operator.hears_link("edge", "pod-two", is_up);
    viewers[0].flows(10_000);
    second.pod.signal("STOP");
    let stopped = Instant::now();
    let mut oldest = 0;
    eventually("the link is lost", || match operator.said("edge")?.links.get("pod-two")? {
        LinkState::Up { age } => {
            oldest = oldest.max(*age);
            None
        }
        LinkState::Lost => Some(()),
        LinkState::ClosedByPeer => panic!("nobody closed it"),
    });
    let lost = stopped.elapsed();
    println!("from SIGSTOP to the operator's knowing: {lost:?}, oldest age {oldest} ms");
    assert!((2500..4500).contains(&lost.as_millis()), "{lost:?}");
    assert!((900..3100).contains(&oldest), "{oldest}");
    second.pod.signal("CONT");
    operator.hears_link("edge", "pod-two", is_up);
    assert!(viewers.iter().all(|viewer| !viewer.ended()));
    // The first one's end is told for a minute.
    operator.hears_link("edge", "pod-one", |state| state == LinkState::ClosedByPeer);
}

#[test]
fn a_fenced_owner_is_cut_off_and_its_viewers_stay_for_the_next_one() {
    let (cluster, operator) = (Cluster::new(), Operator::new());
    let edge = operator.balancer(&cluster, "edge", "", &[]);
    let yaml = camera("a", "Continuous") + &ts("a") + &camera("b", "Continuous") + &ts("b");
    let _first = cluster.server("one", &yaml, &[("a", 1), ("b", 1)], &edge);
    known(&edge, "/a.ts");
    known(&edge, "/b.ts");
    let (viewer, other) = (Watcher::new(edge.viewer("/a.ts")), Watcher::new(edge.viewer("/b.ts")));
    viewer.flows(20_000);
    let next: Holder = "pod-two_boot-2".parse().unwrap();

    // What nobody signed changes nothing.
    let mut forged = cluster.signed("a", &next, 9);
    *forged.last_mut().unwrap() ^= 1;
    for grant in [STANDARD.encode(forged), "no grant".to_owned(), String::new()] {
        operator.fence_by("edge", Fence { feed: "uid-a".into(), grant, frames: true });
        viewer.flows(5_000);
    }
    eventually("they are refused", || (edge.metric("millrace_edge_fences_refused_total") > 0).then_some(()));

    // An epoch exists, the old owner serves on.
    operator.fence("edge", &cluster, "a", &next, 2, false);
    operator.hears("edge", "it vouches for epoch 2", |said| {
        (said.floors.as_ref()?.get("uid-a") == Some(&2)).then_some(())
    });
    viewer.flows(20_000);

    // From now on it does not.
    operator.fence("edge", &cluster, "a", &next, 2, true);
    eventually("nobody has it", || (edge.metric("millrace_edge_orphans") == 1).then_some(()));
    let asked = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut socket = edge.viewer("/a.ts");
            let mut head = [0; 12];
            socket.read_exact(&mut head).unwrap();
            head
        });
        let _second = cluster.server("two", &yaml, &[("a", 2)], &edge);
        viewer.flows(40_000);
        other.flows(10_000);
        waiting.join().unwrap()
    });
    assert_eq!(&asked, b"HTTP/1.1 200", "who came meanwhile waited");
    assert!(!viewer.ended());
}

#[test]
fn whom_to_believe_comes_from_the_operator_at_once() {
    let (cluster, operator) = (Cluster::new(), Operator::new());
    let edge = operator.balancer(&cluster, "edge", "", &[]);
    let _server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let all = std::fs::read(cluster.path("members.json")).unwrap();
    let all: Members = serde_json::from_slice(&all).unwrap();
    let mut fewer = all.clone();
    fewer.members.remove("one");
    assert!(operator.server.introduce("edge", fewer.into()));
    operator.hears_link("edge", "pod-one", |state| !is_up(state));
    assert!(operator.server.introduce("edge", all.into()));
    operator.hears_link("edge", "pod-one", is_up);
}

#[test]
fn who_asks_while_nobody_has_a_stream_waits_for_its_next_owner() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let yaml = camera("a", "Continuous") + &ts("a");
    let first = cluster.server("one", &yaml, &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    drop(first);
    eventually("nobody has it", || (edge.metric("millrace_edge_orphans") == 1).then_some(()));
    let viewers: Vec<Watcher> =
        ["/a.ts", "/a.ts?keyframe", "/a.ts?keyframe=next"].map(|path| Watcher::new(edge.viewer(path))).into();
    std::thread::sleep(Duration::from_secs(3));
    assert!(viewers.iter().all(|viewer| viewer.received() == 0 && !viewer.ended()), "they wait");
    let _second = cluster.server("two", &yaml, &[("a", 2)], &edge);
    for viewer in &viewers {
        viewer.flows(20_000);
        assert!(viewer.head().starts_with("HTTP/1.1 200"), "{}", viewer.head());
    }
    // Who is refused says so again and again; one line is enough.
    let _old = cluster.server("one", &yaml, &[("a", 1)], &edge);
    eventually("it was refused more than once", || {
        (edge.metric("millrace_edge_announcements_refused_total") >= 3).then_some(())
    });
    let lines = edge.log().iter().filter(|line| line.contains("an announcement is refused")).count();
    assert_eq!(lines, 1, "{:?}", edge.log());
    assert_eq!(code(&edge.url("/a.ts"), &["-I"]), "200");
}

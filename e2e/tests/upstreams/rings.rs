//! Clusters that name each other in a ring.

use std::time::{Duration, Instant};

use millrace_e2e::{Pod, Watcher, eventually, eventually_within};

use crate::{
    setup::{edge_at, naming, port, ports, said, upstream},
    support::{Cluster, camera, code, known, ts},
};

#[test]
fn two_clusters_that_name_each_other_serve_what_either_has_and_refuse_at_once_what_neither_has() {
    let (one, two, [eu_port, us_port]) = (Cluster::new(), Cluster::new(), ports());
    let eu = edge_at(&one, &naming("eu", &[("us", &port(us_port))]), eu_port);
    let us = edge_at(&two, &naming("us", &[("eu", &port(eu_port))]), us_port);
    let _in_eu = one.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &eu);
    let _in_us = two.server("two", &(camera("b", "OnDemand") + &ts("b")), &[("b", 1)], &us);
    for path in ["/a.ts", "/b.ts"] {
        for pod in [&eu, &us] {
            known(pod, path);
            Watcher::new(pod.viewer(path)).flows(10_000);
        }
    }
    let began = Instant::now();
    let (status, why) = said(&eu, "/none.ts");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(status == 404 && why.contains("loop: eu -> us -> eu"), "{why}");
    for n in 0..5 {
        assert_eq!(said(&eu, &format!("/none-{n}.ts")).0, 404);
    }
    assert_eq!(upstream(&us, "eu")["loopsRefused"], 6);
    assert_eq!(us.metric("millrace_upstream_loops_total{upstream=\"eu\"}"), 6);
    assert_eq!(eu.metric("millrace_loops_refused_total"), 6);
    let logged = us.log().iter().filter(|line| line.contains("loop: eu -> us -> eu")).count();
    assert_eq!(logged, 1, "it is said once");
}

#[test]
fn a_ring_of_three_and_one_with_itself_are_refused_with_the_way() {
    let (clusters, places) = ([Cluster::new(), Cluster::new(), Cluster::new(), Cluster::new()], ports::<4>());
    let names = ["eu", "us", "asia"];
    let ring: Vec<_> = (0..3)
        .map(|at| {
            let next = (at + 1) % 3;
            edge_at(&clusters[at], &naming(names[at], &[(names[next], &port(places[next]))]), places[at])
        })
        .collect();
    let own = edge_at(&clusters[3], &naming("own", &[("own", &port(places[3]))]), places[3]);
    for (pod, way) in [(&ring[0], "loop: eu -> us -> asia -> eu"), (&own, "loop: own -> own")] {
        eventually(way, || {
            let (status, why) = said(pod, "/none.ts");
            // Until a balancer is sure that no server will dial it, what is not there is only not there yet.
            (status == 404 && why.contains(way)).then_some(())
        });
    }
    assert!(ring[0].metric("millrace_loops_refused_total") >= 1);
    let server = clusters[2].server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &ring[2]);
    let viewers = ring.iter().map(|pod| {
        known(pod, "/a.ts");
        let viewer = Watcher::new(pod.viewer("/a.ts"));
        viewer.flows(10_000);
        viewer
    });
    let viewers: Vec<Watcher> = viewers.collect();
    assert_eq!(server.pod.entry("feeds", "a")["holds"], 1, "one copy for the whole ring");
    // Without its source nobody feeds it to the others in a circle.
    drop(server);
    eventually_within(Duration::from_mins(3), "nobody says that it is there", || {
        let gone = |pod: &Pod| code(&pod.url("/a.ts"), &["-m", "12"]) == "503";
        ring.iter().all(gone).then_some(())
    });
    drop(viewers);
}

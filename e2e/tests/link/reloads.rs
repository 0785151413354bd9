//! What changes while it runs: at the server, and in the trust of the members.

use millrace_e2e::{Watcher, eventually};

use crate::support::{Cluster, camera, code, known, ts};

#[test]
fn a_reload_of_the_server_adds_and_removes_paths() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let one = camera("a", "OnDemand") + &ts("a");
    let both = one.clone() + &camera("b", "OnDemand") + &ts("b");
    let server = cluster.server("one", &one, &[("a", 1), ("b", 1)], &edge);
    known(&edge, "/a.ts");
    assert_eq!(code(&edge.url("/b.ts"), &[]), "404");
    let stays = Watcher::new(edge.viewer("/a.ts"));
    stays.flows(10_000);

    server.pod.edit(&both);
    known(&edge, "/b.ts");
    let goes = Watcher::new(edge.viewer("/b.ts"));
    goes.flows(10_000);

    server.pod.edit(&one);
    assert!(goes.end(), "its viewers are let go");
    eventually("the path is gone", || (code(&edge.url("/b.ts"), &[]) == "404").then_some(()));
    server.pod.edit(&both);
    known(&edge, "/b.ts");
    Watcher::new(edge.viewer("/b.ts")).flows(10_000);
    stays.flows(10_000);
}

#[test]
fn a_stream_without_a_grant_is_not_announced_until_it_has_one() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let yaml = camera("a", "OnDemand") + &ts("a") + &camera("b", "OnDemand") + &ts("b");
    let server = cluster.server("one", &yaml, &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    assert_eq!(code(&edge.url("/b.ts"), &[]), "404");
    let boot = server.holder.boot.as_str();
    cluster.grant(&cluster.path(&format!("grants-{boot}.json")), &server.holder, &[("a", 1), ("b", 1)]);
    known(&edge, "/b.ts");
}

#[test]
fn who_is_no_member_any_more_is_let_go_and_who_becomes_one_is_let_in() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let trust = cluster.path("members.json");
    let all = std::fs::read_to_string(&trust).unwrap();
    let _server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let viewer = Watcher::new(edge.viewer("/a.ts"));
    viewer.flows(10_000);
    let mut fewer: serde_json::Value = serde_json::from_str(&all).unwrap();
    fewer["members"].as_object_mut().unwrap().remove("one");
    std::fs::write(&trust, fewer.to_string()).unwrap();
    eventually("its link is over", || (edge.metric("millrace_edge_links") == 0).then_some(()));
    std::fs::write(&trust, all).unwrap();
    eventually("it is let in again", || (edge.metric("millrace_edge_links") == 1).then_some(()));
    viewer.flows(10_000);
}

//! Who may watch, asked through a balancer.

use millrace_e2e::{Watcher, eventually, resource, stream};
use serde_json::json;

use crate::support::{Cluster, camera, code, ts};

fn login(password: &str) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": "kubernetes.io/basic-auth",
        "stringData": {"username": "ann", "password": password}
    });
    format!("---\n{secret}\n")
}

#[test]
fn the_owner_says_who_may_watch_and_a_yes_is_remembered() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let locked = json!({"path": "/locked.ts", "feeds": ["a"],
        "access": {"play": {"basic": {"secretRef": {"name": "login"}}}}});
    let yaml =
        |password: &str| login(password) + &camera("a", "OnDemand") + &ts("a") + &stream("locked", &locked);
    let server = cluster.server("one", &yaml("secret"), &[("a", 1)], &edge);
    eventually("the stream is known", || (code(&edge.url("/locked.ts"), &["-I"]) == "401").then_some(()));
    for way in ["--http1.1", "--http2-prior-knowledge"] {
        assert_eq!(code(&edge.url("/locked.ts"), &[way]), "401");
        assert_eq!(code(&edge.url("/locked.ts"), &[way, "-u", "ann:wrong"]), "401");
        assert_eq!(code(&edge.url("/locked.ts"), &[way, "-u", "bob:secret"]), "401");
        assert_eq!(code(&edge.url("/locked.ts"), &[way, "-I", "-u", "ann:secret"]), "200");
    }
    assert_eq!(code(&edge.url("/locked.ts/pic"), &[]), "401");
    assert_eq!(code(&edge.url("/locked.ts/pic"), &["-u", "ann:secret"]), "200");
    assert_eq!(code(&edge.url("/a.ts"), &["-I"]), "200", "the other one is open");
    let asked = edge.metric("millrace_edge_access_asked_total");
    for _ in 0..5 {
        assert_eq!(code(&edge.url("/locked.ts"), &["-I", "-u", "ann:secret"]), "200");
    }
    let more = edge.metric("millrace_edge_access_asked_total") - asked;
    assert!(more <= 1, "{more} times the owner was asked again");

    let basic = "Authorization: Basic YW5uOnNlY3JldA==";
    let mut socket = std::net::TcpStream::connect(edge.address()).unwrap();
    std::io::Write::write_all(
        &mut socket,
        format!("GET /locked.ts HTTP/1.1\r\nHost: x\r\n{basic}\r\n\r\n").as_bytes(),
    )
    .unwrap();
    let viewer = Watcher::new(socket);
    viewer.flows(20_000);

    // Another password: who is in stays, who comes with the old one is told so once the yes is over.
    server.pod.edit(&yaml("changed"));
    eventually("the old password is none any more", || {
        (code(&edge.url("/locked.ts"), &["-I", "-u", "ann:secret"]) == "401").then_some(())
    });
    assert_eq!(code(&edge.url("/locked.ts"), &["-I", "-u", "ann:changed"]), "200");
    viewer.flows(20_000);
}

#[test]
fn the_balancers_own_pages_are_its_own_clusters() {
    let cluster = Cluster::new();
    let locked = login("secret")
        + &resource(
            "Cluster",
            "default",
            &json!({"access": {"operate": {"basic": {"secretRef": {"name": "login"}}}}}),
        );
    let edge = cluster.balancer("edge", &locked, &[]);
    let _server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    eventually("the stream is known", || (code(&edge.url("/a.ts"), &["-I"]) == "200").then_some(()));
    assert_eq!(code(&edge.url("/stat"), &[]), "401");
    assert_eq!(code(&edge.url("/stat"), &["-u", "ann:secret"]), "200");
    assert_eq!(code(&edge.url("/metrics"), &["-u", "ann:secret"]), "200");
}

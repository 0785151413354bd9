//! `/api/v1` of a balancer and of a server pod.

use millrace_e2e::{Pod, Watcher, documented_metrics, eventually, resource};
use serde_json::{Value, json};

use crate::{
    operator::Operator,
    support::{Cluster, camera, code, known, ts},
};

fn get(pod: &Pod, path: &str) -> Value {
    let said = pod.curl(path, &[]).stdout;
    serde_json::from_slice(&said).unwrap_or_else(|_| panic!("{path}: {}", String::from_utf8_lossy(&said)))
}

#[test]
fn sessions_streams_and_members_are_told_at_both_ends() {
    let (cluster, operator) = (Cluster::new(), Operator::new());
    let shown = resource("Cluster", "default", &json!({"statusPage": {"clients": true}}));
    let edge = operator.balancer(&cluster, "edge", &shown, &[]);
    let server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 7)], &edge);
    known(&edge, "/a.ts");
    let viewers: Vec<Watcher> = (0..3).map(|_| Watcher::new(edge.viewer("/a.ts"))).collect();
    for viewer in &viewers {
        viewer.flows(20_000);
    }

    let all = get(&edge, "/api/v1/sessions");
    assert_eq!(all["total"], 4, "three viewers and what feeds them: {all:#}");
    let of = |role: &str| {
        let sessions = all["sessions"].as_array().unwrap().iter();
        sessions.filter(|session| session["role"] == role).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of("Client").len(), 3);
    for session in of("Client") {
        assert_eq!((&session["path"], &session["state"]), (&json!("/a.ts"), &json!("Streaming")));
        assert!(session["bytes"].as_u64() > Some(10_000) && session["packets"].is_null(), "{session:#}");
        assert!(session["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{session:#}");
    }
    let [up] = &of("Server")[..] else { panic!("{all:#}") };
    assert!(up["packets"].as_u64() > Some(0) && up["lost"] == 0 && up["jitterMs"].is_number(), "{up:#}");
    let first = get(&edge, "/api/v1/sessions?limit=3");
    let rest = get(&edge, &format!("/api/v1/sessions?limit=3&after={}", first["next"].as_str().unwrap()));
    assert_eq!(
        (first["sessions"].as_array().unwrap().len(), rest["sessions"].as_array().unwrap().len()),
        (3, 1)
    );
    assert!(rest["next"].is_null());
    let down = get(&server.pod, "/api/v1/sessions");
    assert_eq!((&down["total"], &down["sessions"][0]["role"]), (&json!(1), &json!("Balancer")), "{down:#}");
    assert!(down["sessions"][0]["bytes"].as_u64() > Some(10_000), "{down:#}");

    let known = get(&edge, "/api/v1/cluster");
    let holder = server.holder.to_string();
    let wanted = json!({"path": "/a.ts", "feed": "uid-a", "owner": holder, "epoch": 7, "state": "Live"});
    assert_eq!(
        (&known["streams"][0], &known["role"], &known["sessions"]),
        (&wanted, &json!("Balancer"), &json!(3))
    );
    assert_eq!(get(&server.pod, "/api/v1/cluster")["streams"][0]["state"], "Here");

    operator.edges(&[("edge", "10.0.0.1", 3, true)]);
    let members = eventually("both members are known", || {
        Some(get(&edge, "/api/v1/members")).filter(|members| members["total"] == 2)
    });
    let linked = &members["members"][0];
    assert_eq!(
        (&linked["name"], &linked["role"], &linked["link"]["sessions"]),
        (&json!(holder), &json!("Server"), &json!(1))
    );
    assert!(
        linked["link"]["silenceMs"].as_u64() < Some(3000)
            && linked["link"]["bytesReceived"].as_u64() > Some(10_000)
    );
    assert_eq!(
        (&members["members"][1]["name"], &members["members"][1]["state"]),
        (&json!("edge"), &json!("Open"))
    );

    // The same in the other places.
    for pod in [&edge, &server.pod] {
        assert_eq!(pod.stat()["links"].as_array().unwrap().len(), 1);
        let metrics = String::from_utf8(pod.curl("/metrics", &[]).stdout).unwrap();
        let sessions = metrics.lines().find(|line| line.starts_with("millrace_link_sessions{")).unwrap();
        assert!(sessions.ends_with(" 1"), "{sessions}");
    }
    assert_eq!(edge.metric("millrace_links{role=\"Server\"}"), 1);
    assert_eq!(server.pod.metric("millrace_links{role=\"Balancer\"}"), 1);
    let described = get(&edge, "/api/v1/openapi.json");
    assert_eq!(described["openapi"], "3.1.0");
    drop(viewers);
    eventually("they have left", || (get(&server.pod, "/api/v1/sessions")["total"] == 0).then_some(()));
}

#[test]
fn who_may_not_see_the_status_may_not_read_it_here_either() {
    let cluster = Cluster::new();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": "kubernetes.io/basic-auth",
        "stringData": {"username": "ann", "password": "secret"}
    });
    let locked = format!("---\n{secret}\n")
        + &resource(
            "Cluster",
            "default",
            &json!({"access": {"operate": {"basic": {"secretRef": {"name": "login"}}}}}),
        );
    let edge = cluster.balancer("edge", &locked, &["--internal", "127.0.0.1:0"]);
    for path in ["sessions", "cluster", "members", "openapi.json"] {
        let url = edge.url(&format!("/api/v1/{path}"));
        assert_eq!(code(&url, &[]), "401", "{path}");
        assert_eq!(code(&url, &["-u", "ann:secret"]), "200", "{path}");
        assert_eq!(code(&url, &["-u", "ann:secret", "-X", "POST"]), "405", "{path}");
    }
    assert_eq!(code(&edge.url("/api/v1/sessions?limit=0"), &["-u", "ann:secret"]), "400");

    let open = cluster.balancer("other-edge", "", &[]);
    let _server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &open);
    known(&open, "/a.ts");
    let viewer = Watcher::new(open.viewer("/a.ts"));
    viewer.flows(10_000);
    let all = get(&open, "/api/v1/sessions");
    let client =
        all["sessions"].as_array().unwrap().iter().find(|session| session["role"] == "Client").unwrap();
    assert!(client["client"].is_null(), "nobody who asks has shown who he is: {client:#}");
    let off = cluster.balancer(
        "edge",
        &resource("Cluster", "default", &json!({"statusApi": {"enabled": false}})),
        &[],
    );
    eventually("it answers", || (code(&off.url("/healthz"), &[]) == "200").then_some(()));
    assert_ne!(code(&off.url("/api/v1/sessions"), &[]), "200");
}

#[test]
fn all_metrics_of_balancers_and_links_that_are_documented_are_there() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let viewer = Watcher::new(edge.viewer("/a.ts"));
    viewer.flows(20_000);
    let [at_edge, at_server] =
        [&edge, &server.pod].map(|pod| String::from_utf8(pod.curl("/metrics", &[]).stdout).unwrap());
    let told = |prefix: &str, metrics: &str| {
        for name in documented_metrics(prefix) {
            assert!(metrics.contains(&format!("# TYPE {name} ")), "{name} is not in\n{metrics}");
        }
    };
    told("millrace_edge", &at_edge);
    told("millrace_link", &at_edge);
    told("millrace_link", &at_server);
}

//! When a balancer is full, and when another one has more room.

use std::time::Duration;

use millrace_e2e::{Watcher, eventually, resource};
use serde_json::json;

use crate::{
    operator::Operator,
    support::{Cluster, camera, code, curl, known, link_of, ts},
};

fn is_let_in(viewer: &Watcher) -> bool {
    eventually("an answer", || (!viewer.head().is_empty()).then(|| viewer.head())).contains(" 200 ")
}

#[test]
fn one_viewer_too_many_is_told_to_come_again_whatever_door_he_comes_by_and_the_others_stay() {
    let cluster = Cluster::new();
    let limited = resource("Cluster", "default", &json!({"limits": {"connections": 2}}));
    let edge = cluster.balancer("edge", &limited, &["--internal", "127.0.0.1:0"]);
    let line = edge.logged("listening internal=");
    let (_, inside) = line.split_once("listening internal=").unwrap();
    let inside = format!("http://{}/a.ts", inside.trim());
    let _server = cluster.server("one", &(camera("a", "Continuous") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    // Who looked whether it is known may not have gone yet.
    let viewers: Vec<Watcher> = (0..2)
        .map(|_| eventually("there is room", || Some(Watcher::new(edge.viewer("/a.ts"))).filter(is_let_in)))
        .collect();
    for viewer in &viewers {
        viewer.flows(5_000);
    }
    // Each door takes two connections, and both together two viewers.
    let said = String::from_utf8(curl(&inside, &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("Retry-After: "), "{said}");
    assert_eq!(code(&inside, &["-I"]), "200");
    for viewer in &viewers {
        viewer.flows(10_000);
    }
    drop(viewers);
    eventually("there is room again", || (code(&inside, &["--max-time", "2"]) == "200").then_some(()));
    assert!(edge.metric("millrace_edge_turned_away_total") >= 1);
}

#[test]
fn a_stream_of_more_bits_than_a_viewer_may_have_is_refused_to_who_comes_and_nobody_is_put_out() {
    let cluster = Cluster::new();
    let limited = |bitrate: &str| resource("Cluster", "default", &json!({"limits": {"bitrate": bitrate}}));
    let edge = cluster.balancer("edge", &limited("100M"), &[]);
    let _server = cluster.server("one", &(camera("a", "Continuous") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let viewer = Watcher::new(edge.viewer("/a.ts"));
    viewer.flows(100_000);
    edge.edit(&limited("10k"));
    eventually("who comes is refused", || {
        (code(&edge.url("/a.ts"), &["--max-time", "2"]) == "503").then_some(())
    });
    let said = String::from_utf8(curl(&edge.url("/a.ts"), &["-i"]).stdout).unwrap();
    assert!(said.contains("Retry-After: ") && said.contains("limits.bitrate"), "{said}");
    viewer.flows(20_000);
    edge.edit(&limited("100M"));
    eventually("who comes is let in", || {
        (code(&edge.url("/a.ts"), &["--max-time", "2"]) == "200").then_some(())
    });
    Watcher::new(edge.viewer("/a.ts")).flows(10_000);
}

#[test]
fn a_viewer_is_sent_to_the_least_loaded_balancer_once_and_plays_there() {
    let (cluster, operator) = (Cluster::new(), Operator::new());
    let redirecting = resource("Cluster", "default", &json!({"balancers": {"mode": "Redirect"}}));
    let edges = [
        operator.balancer(&cluster, "edge", &redirecting, &[]),
        operator.balancer(&cluster, "other-edge", &redirecting, &[]),
    ];
    let to = format!("{},{}", link_of(&edges[0]), link_of(&edges[1]));
    let _server = cluster.server_of("one", &(camera("a", "Continuous") + &ts("a")), &[("a", 1)], &to);
    for edge in &edges {
        known(edge, "/a.ts");
    }
    assert_eq!(code(&edges[0].url("/a.ts"), &["-I"]), "200", "nobody was told of");
    let hosts = edges.each_ref().map(|edge| edge.address().to_owned());
    let location = |n: usize, path: &str| {
        let said =
            curl(&edges[n].url(path), &["-I", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"]);
        String::from_utf8(said.stdout).unwrap()
    };
    let tell = |loads: [(u32, bool); 2]| {
        operator.edges(&[
            ("edge", &hosts[0], loads[0].0, loads[0].1),
            ("other-edge", &hosts[1], loads[1].0, loads[1].1),
        ]);
    };
    // The first one has three viewers, and knows it.
    let viewers: Vec<Watcher> = (0..3).map(|_| Watcher::new(edges[0].viewer("/a.ts"))).collect();
    for viewer in &viewers {
        viewer.flows(5_000);
    }
    tell([(3, true), (0, true)]);
    let wanted = format!("307 http://{}/a.ts?keyframe=next&x=%2F&millrace-sent", hosts[1]);
    eventually("who comes is sent on", || (location(0, "/a.ts?keyframe=next&x=%2F") == wanted).then_some(()));
    assert_eq!(location(1, "/a.ts"), "200 ", "and not back");
    assert_eq!(location(0, "/a.ts?millrace-sent"), "200 ", "who was sent stays");
    assert_eq!(code(&edges[0].url("/a.ts"), &["-X", "OPTIONS"]), "204");
    assert_eq!(code(&edges[0].url("/a.ts/pic"), &[]), "200", "what is below a stream is not");
    assert_eq!(code(&edges[0].url("/stat"), &[]), "200");

    tell([(3, true), (0, true)]);
    std::thread::sleep(Duration::from_millis(300));
    let url = edges[0].url("/a.ts?keyframe");
    let said = curl(
        &url,
        &["-L", "--max-time", "3", "-o", "/dev/null", "-w", "%{http_code} %{num_redirects} %{size_download}"],
    );
    let said = String::from_utf8(said.stdout).unwrap();
    let numbers: Vec<u64> = said.split(' ').map(|number| number.parse().unwrap()).collect();
    assert!(numbers[0] == 200 && numbers[1] == 1 && numbers[2] > 10_000, "{said}");

    // None is better: it stays. One that drains sends its viewers away, and nobody is sent to it.
    tell([(3, true), (50, true)]);
    eventually("who comes stays", || (location(0, "/a.ts") == "200 ").then_some(()));
    tell([(3, false), (50, true)]);
    eventually("who comes is sent on", || location(0, "/a.ts").starts_with("307").then_some(()));
    tell([(3, true), (0, false)]);
    eventually("who comes stays", || (location(0, "/a.ts") == "200 ").then_some(()));
    for viewer in &viewers {
        viewer.flows(5_000);
    }
}

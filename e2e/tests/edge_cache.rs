//! Pictures that a balancer keeps for all who ask.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test ends by it"
)]

#[path = "link/support.rs"]
#[allow(dead_code, reason = "most of it is for other tests")]
mod support;

use std::{process::Command, time::Instant};

use millrace_e2e::{Pod, eventually, resource, stream};
use serde_json::json;

use crate::support::{Cluster, camera, code, curl, known, ts};

/// A Cluster whose balancers keep so much.
fn keeps(memory: &str) -> String {
    resource("Cluster", "default", &json!({"balancers": {"edgeCache": {"memory": memory}}}))
}

/// Requests by how they were answered.
fn requests(edge: &Pod, result: &str) -> i64 {
    edge.metric(&format!("millrace_edge_cache_requests_total{{result=\"{result}\"}}"))
}

fn asked(edge: &Pod) -> i64 {
    edge.metric("millrace_http_forwarded_total")
}

/// The head, in small letters, and the body.
fn picture(edge: &Pod, path: &str, arguments: &[&str]) -> (String, Vec<u8>) {
    let mut out = curl(&edge.url(path), &[&["-i"], arguments].concat()).stdout;
    let at = out.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer") + 4;
    let body = out.split_off(at);
    (String::from_utf8(out).unwrap().to_lowercase(), body)
}

#[test]
fn fifty_who_ask_at_once_cost_the_owner_one_picture_a_second() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", &keeps("64Mi"), &[]);
    let yaml = camera("a", "Continuous") + &ts("a");
    let server = cluster.server("one", &yaml, &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    assert_eq!(code(&edge.url("/a.ts/pic?quality=50"), &[]), "200");
    let (before, pictures) = (asked(&edge), server.pod.metric("millrace_snapshots_decoded_total"));
    let began = Instant::now();
    let url = edge.url("/a.ts/pic");
    let mut arguments = vec!["-sS", "-Z", "--parallel-immediate", "--parallel-max", "50", "--max-time", "60"];
    arguments.extend(["-w", "%{http_code} %header{content-type} %header{cache-status}\n"]);
    (0..50).for_each(|_| arguments.extend(["-o", "/dev/null", &url]));
    let said = Command::new("curl").args(&arguments).output().unwrap();
    let most = began.elapsed().as_secs() as i64 + 1;
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(
        said.lines().filter(|line| line.starts_with("200 image/jpeg millrace; ")).count(),
        50,
        "{said}"
    );
    let cost = asked(&edge) - before;
    assert!((1..=most).contains(&cost), "{cost} requests to the owner in {most} s\n{said}");
    assert!(server.pod.metric("millrace_snapshots_decoded_total") - pictures <= most);
    let [hits, collapsed, misses, again, passed] =
        ["hit", "collapsed", "miss", "revalidated", "passed"].map(|result| requests(&edge, result));
    assert_eq!((hits + collapsed + misses + again, passed), (51, 0));
    assert_eq!(misses + again, cost + 1);
    let kept = edge.metric("millrace_edge_cache_bytes");
    assert!(kept > 1000 && edge.metric("millrace_edge_cache_entries") >= 2, "{kept} bytes");
    assert_eq!(edge.metric("millrace_edge_cache_limit_bytes"), 64 << 20);
    assert_eq!(edge.metric("millrace_edge_cache_evictions_total"), 0);
}

#[test]
fn what_has_not_changed_is_not_sent_again_and_a_part_is_a_part() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let server = cluster.server("one", &(camera("a", "Continuous") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let tag = |head: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix("etag: "));
        line.unwrap_or_else(|| panic!("no ETag in {head}")).trim().to_owned()
    };
    // All within the second in which a picture is kept, or again.
    eventually("304 from the cache", || {
        let (head, whole) = picture(&edge, "/a.ts/pic", &[]);
        let condition = format!("If-None-Match: {}", tag(&head));
        let (same, nothing) = picture(&edge, "/a.ts/pic", &["-H", &condition]);
        let (part, bytes) = picture(&edge, "/a.ts/pic", &["-H", "Range: bytes=2-5"]);
        let all = [&head, &same, &part];
        let kept = same.contains("millrace; hit") && part.contains("millrace; hit");
        let pictures = tag(&part) == tag(&head) && kept;
        pictures.then(|| {
            assert!(all.iter().all(|head| head.contains("cache-control: public, max-age=1")), "{all:?}");
            assert!(same.starts_with("http/1.1 304") && nothing.is_empty(), "{same}");
            assert!(part.starts_with("http/1.1 206") && bytes == whole[2..6], "{part}");
        })
    });
    // The owner itself knows its tags, too.
    let (head, _) = picture(&server.pod, "/a.ts/pic", &[]);
    assert!(!head.contains("cache-status"), "{head}");
    eventually("304 from the owner", || {
        let (head, _) = picture(&server.pod, "/a.ts/pic", &[]);
        let condition = format!("If-None-Match: {}", tag(&head));
        let (same, nothing) = picture(&server.pod, "/a.ts/pic", &["-H", &condition]);
        (same.starts_with("http/1.1 304") && nothing.is_empty()).then_some(())
    });
    // Of this moment: each is a new one.
    let before = (asked(&edge), requests(&edge, "hit"));
    for _ in 0..2 {
        let (head, _) = picture(&edge, "/a.ts/pic?now", &[]);
        assert!(head.contains("cache-control: no-store") && !head.contains("; hit"), "{head}");
    }
    assert_eq!((asked(&edge), requests(&edge, "hit")), (before.0 + 2, before.1));
}

#[test]
fn pictures_behind_a_password_are_never_shared() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": "kubernetes.io/basic-auth",
        "stringData": {"username": "ann", "password": "secret"}
    });
    let locked = json!({"path": "/locked.ts", "feeds": ["a"],
        "access": {"play": {"basic": {"secretRef": {"name": "login"}}}}});
    let yaml = format!("---\n{secret}\n") + &camera("a", "Continuous") + &stream("locked", &locked);
    let server = cluster.server("one", &yaml, &[("a", 1)], &edge);
    eventually("the stream is known", || (code(&edge.url("/locked.ts"), &["-I"]) == "401").then_some(()));
    for n in 1..4 {
        let (head, _) = picture(&edge, "/locked.ts/pic", &["-u", "ann:secret"]);
        assert!(head.starts_with("http/1.1 200") && head.contains("cache-control: no-store"), "{head}");
        assert_eq!(code(&edge.url("/locked.ts/pic"), &[]), "401");
        assert_eq!(code(&edge.url("/locked.ts/pic"), &["-u", "ann:wrong"]), "401");
        assert_eq!(requests(&edge, "passed"), 3 * n);
    }
    assert_eq!((requests(&edge, "hit"), requests(&edge, "collapsed")), (0, 0));
    // Open to all for a while: what was kept then is not given out when it is locked again.
    server.pod.edit(
        &(camera("a", "Continuous") + &stream("locked", &json!({"path": "/locked.ts", "feeds": ["a"]}))),
    );
    eventually("it is open", || (code(&edge.url("/locked.ts/pic"), &[]) == "200").then_some(()));
    eventually("it is kept", || picture(&edge, "/locked.ts/pic", &[]).0.contains("; hit").then_some(()));
    server.pod.edit(&yaml);
    eventually("it is locked", || (code(&edge.url("/locked.ts"), &["-I"]) == "401").then_some(()));
    eventually("its pictures are, too", || (code(&edge.url("/locked.ts/pic"), &[]) == "401").then_some(()));
}

#[test]
fn the_limit_is_what_the_cluster_says_at_the_moment() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", &keeps("512Ki"), &[]);
    let _server = cluster.server("one", &(camera("a", "Continuous") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    // Each is another one.
    for n in 0..60 {
        assert_eq!(code(&edge.url(&format!("/a.ts/pic?number={n}")), &[]), "200");
    }
    let [bytes, evictions] =
        ["millrace_edge_cache_bytes", "millrace_edge_cache_evictions_total"].map(|name| edge.metric(name));
    assert!((1..=512 << 10).contains(&bytes), "{bytes} bytes are kept");
    assert!(evictions > 0, "{bytes} bytes are kept, and nothing had to leave");
    edge.edit(&keeps("0"));
    eventually("nothing is kept", || {
        let figures = ["limit_bytes", "bytes", "entries"];
        let figures = figures.map(|name| edge.metric(&format!("millrace_edge_cache_{name}")));
        (figures == [0, 0, 0]).then_some(())
    });
    let before = asked(&edge);
    for _ in 0..3 {
        let (head, _) = picture(&edge, "/a.ts/pic", &[]);
        assert!(head.starts_with("http/1.1 200") && !head.contains("cache-status"), "{head}");
    }
    assert_eq!(asked(&edge), before + 3);
    edge.edit(&keeps("8Mi"));
    eventually("it is kept again", || picture(&edge, "/a.ts/pic", &[]).0.contains("; hit").then_some(()));
}

#[test]
fn when_the_owner_is_killed_nobody_hangs_and_the_next_one_shows_its_own_pictures() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let yaml = camera("a", "Continuous") + &ts("a");
    let first = cluster.server("one", &yaml, &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    eventually("it is kept", || picture(&edge, "/a.ts/pic", &[]).0.contains("; hit").then_some(()));
    let before = asked(&edge);
    first.pod.signal("STOP");
    // Frozen in the middle of a request that many wait for, and then killed.
    let url = edge.url("/a.ts/pic?quality=31");
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || (code(&url, &[]), Instant::now()))
        })
        .collect();
    eventually("the owner is asked", || (asked(&edge) > before).then_some(()));
    let killed = Instant::now();
    first.pod.signal("KILL");
    for one in waiting {
        let (status, at) = one.join().unwrap();
        // Who came after the kill heard it from the balancer.
        assert_eq!(status, "503");
        let took = at.saturating_duration_since(killed);
        assert!(took.as_secs() < 10, "{took:?}");
    }
    let _second = cluster.server("two", &yaml, &[("a", 2)], &edge);
    let head = eventually("the next one answers", || {
        let (head, _) = picture(&edge, "/a.ts/pic", &[]);
        head.starts_with("http/1.1 200").then_some(head)
    });
    assert!(!head.contains("; hit"), "{head}");
}

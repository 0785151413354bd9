//! Viewers of a balancer.

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use millrace_e2e::{
    PATTERN, Watcher, decode, eventually, live, read_from, remux, resource, run, stream, tracks,
};
use serde_json::json;

use crate::support::{Cluster, camera, code, curl, known, link_of, ts};

#[test]
fn any_number_of_viewers_costs_each_balancer_one_copy_of_a_stream() {
    let cluster = Cluster::new();
    let edges = [cluster.balancer("edge", "", &[]), cluster.balancer("other-edge", "", &[])];
    let yaml = camera("a", "OnDemand") + &camera("b", "OnDemand") + &ts("a") + &ts("b");
    let to = format!("{},{}", link_of(&edges[0]), link_of(&edges[1]));
    let server = cluster.server_of("one", &yaml, &[("a", 1), ("b", 1)], &to);
    let mut all = Vec::new();
    for edge in &edges {
        known(edge, "/a.ts");
        known(edge, "/b.ts");
        let viewers: Vec<Watcher> =
            (0..50).map(|n| Watcher::new(edge.viewer(if n % 2 == 0 { "/a.ts" } else { "/b.ts" }))).collect();
        for viewer in &viewers {
            viewer.flows(20_000);
        }
        assert_eq!(edge.metric("millrace_edge_upstreams"), 2);
        assert_eq!(edge.metric("millrace_edge_upstreams_total"), 2);
        assert_eq!(edge.metric("millrace_edge_viewers"), 50);
        let (received, sent) = (
            edge.metric("millrace_edge_received_bytes_total"),
            edge.metric("millrace_edge_sent_bytes_total"),
        );
        assert!(sent > received * 10, "{received} came, {sent} went out");
        all.push(viewers);
    }
    assert_eq!(server.pod.entry("feeds", "a")["holds"], 2, "one for each balancer");
    drop(all);
    for edge in &edges {
        // A session is kept for a little while.
        eventually("the sessions end with the last viewer", || {
            (edge.metric("millrace_edge_upstreams") == 0).then_some(())
        });
    }
    server.pod.feed_is("a", "Idle");
}

#[test]
fn ffprobe_decodes_what_comes_through_a_balancer() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let mp4 = json!({"path": "/a.mp4", "feeds": ["a"],
        "command": remux("-c copy -bsf:a aac_adtstoasc -f mp4 -movflags +frag_keyframe+empty_moov+default_base_moof")});
    let ogg = json!({"path": "/a.ogg", "feeds": ["a"], "command": remux("-vn -c:a libvorbis -f ogg")});
    let yaml = camera("a", "OnDemand") + &ts("a") + &stream("mp4", &mp4) + &stream("ogg", &ogg);
    let _server = cluster.server("one", &yaml, &[("a", 1)], &edge);
    for (path, kind, wanted) in [
        ("/a.ts", "video/mp2t", &["h264", "aac"][..]),
        ("/a.mp4", "video/mp4", &["h264", "aac"]),
        ("/a.ogg", "audio/ogg", &["vorbis"]),
    ] {
        known(&edge, path);
        let found = tracks(&edge.url(&format!("{path}?keyframe")));
        assert!(wanted.iter().all(|codec| found.iter().any(|track| track.contains(codec))), "{found:?}");
        let head = edge.curl(path, &["-I"]).stdout;
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        assert!(head.contains(&format!("content-type: {kind}")), "{head}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (path, name) in [("/a.ts", "a.ts"), ("/a.mp4", "a.mp4")] {
        let file = folder.path().join(name);
        let (_, bytes) = edge.read(&format!("{path}?keyframe"), 100_000);
        std::fs::write(&file, bytes).unwrap();
        let said = decode(&file, 10);
        assert!(said.code == Some(0) && said.err.is_empty(), "{path}: {}", said.err);
    }
}

#[test]
fn a_viewer_joins_with_a_header_at_a_key_frame_or_at_the_live_edge() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let server = cluster.server("one", &(camera("a", "Continuous") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    server.pod.feed_is("a", "Running");
    eventually("a group of pictures is there", || {
        (server.pod.entry("feeds", "a")["gop"]["bytes"].as_u64() > Some(0)).then_some(())
    });
    let (head, live) = edge.read("/a.ts", 20_000);
    assert!(head.contains("200 OK") && live[0] == 0x47, "{head}");
    let (head, last) = edge.read("/a.ts?keyframe", 20_000);
    let age = head.lines().find_map(|line| line.strip_prefix("Millrace-Picture-Age: ")).unwrap();
    assert!(age.parse::<f64>().unwrap() < 3.0, "{head}");
    let (_, next) = edge.read("/a.ts?keyframe=next", 20_000);
    let (_, header) = edge.read("/a.ts?header", 20_000);
    for (bytes, pid) in [(&last, 0), (&next, 0), (&header, 0)] {
        assert_eq!(bytes[0], 0x47);
        assert_eq!(u16::from(bytes[1] & 0x1f) << 8 | u16::from(bytes[2]), pid, "the PAT comes first");
    }
    let folder = tempfile::tempdir().unwrap();
    for bytes in [last, next] {
        let file = folder.path().join("a.ts");
        std::fs::write(&file, bytes).unwrap();
        let first = run(
            "ffprobe",
            &[
                "-v",
                "error",
                "-select_streams",
                "v",
                "-show_entries",
                "packet=flags",
                "-of",
                "csv=p=0",
                file.to_str().unwrap(),
            ],
            30,
        );
        assert!(first.text().starts_with('K'), "{}", first.text());
    }
    assert_eq!(code(&edge.url("/a.ts?keyframe=first"), &[]), "400");
}

#[test]
fn the_first_viewer_is_at_the_live_edge_though_the_balancer_got_a_whole_group_of_pictures() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let long = json!({"source": {"command": live(PATTERN, 600, "-an")}, "activation": "Continuous"});
    let yaml = resource("Feed", "a", &long) + &ts("a");
    let server = cluster.server("one", &yaml, &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    eventually("the group of pictures is seconds long", || {
        let head = String::from_utf8_lossy(&server.pod.curl("/a.ts?keyframe", &["-I"]).stdout).into_owned();
        let age = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("millrace-picture-age: ")?.parse::<f64>().ok()
        });
        age.filter(|age| *age > 4.0)
    });
    let first_is_key = |path: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.ts");
        std::fs::write(&file, edge.read(path, 20_000).1).unwrap();
        let show = ["-v", "quiet", "-select_streams", "v", "-show_entries", "packet=flags", "-of", "csv=p=0"];
        let said = run("ffprobe", &[&show[..], &[file.to_str().unwrap()]].concat(), 30);
        said.text().starts_with('K')
    };
    assert!(!first_is_key("/a.ts"));
    assert!(first_is_key("/a.ts?keyframe"), "which the balancer has");
}

#[test]
fn what_is_not_known_is_not_found_and_until_anything_is_known_it_is_only_not_yet() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &["--internal", "127.0.0.1:0"]);
    let said = String::from_utf8(curl(&edge.url("/a.ts"), &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("Retry-After: "), "{said}");
    assert_eq!(code(&edge.url("/healthz"), &[]), "200");
    assert_eq!(code(&edge.url("/readyz"), &[]), "503");
    let server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    assert_eq!(code(&edge.url("/readyz"), &[]), "200");
    assert_eq!(code(&edge.url("/other.ts"), &[]), "404");
    assert_eq!(code(&edge.url("/a.ts/none"), &[]), "404", "the owner says so");
    let picture = curl(&edge.url("/a.ts/pic?format=png"), &["-w", "%{content_type}"]).stdout;
    assert!(picture.starts_with(b"\x89PNG") && picture.ends_with(b"image/png"));
    assert!(edge.stat()["streams"][0]["path"] == "/a.ts", "{}", edge.stat());
    // Nobody has it: who comes waits a little, and is told to come again.
    drop(server);
    let began = Instant::now();
    let said = String::from_utf8(curl(&edge.url("/a.ts"), &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("Retry-After: "), "{said}");
    assert!((3..15).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(code(&edge.url("/a.ts/pic"), &[]), "503");
}

#[test]
fn one_connection_too_many_is_told_to_come_again_and_the_others_stay() {
    let cluster = Cluster::new();
    let limited = resource("Cluster", "default", &json!({"limits": {"connections": 3}}));
    let edge = cluster.balancer("edge", &limited, &[]);
    let _server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let viewers: Vec<Watcher> = (0..3).map(|_| Watcher::new(edge.viewer("/a.ts"))).collect();
    for viewer in &viewers {
        viewer.flows(10_000);
    }
    let said = String::from_utf8(curl(&edge.url("/a.ts"), &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("Retry-After: "), "{said}");
    for viewer in &viewers {
        viewer.flows(10_000);
    }
}

#[test]
fn a_feed_that_cannot_run_is_503_with_its_reason() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let broken = millrace_e2e::feed("a", &["false".to_owned()]);
    let _server = cluster.server("one", &(broken + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let said = String::from_utf8(curl(&edge.url("/a.ts"), &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(said.contains("not available at the moment"), "{said}");
}

#[test]
fn garbage_on_the_link_port_disturbs_nobody() {
    let cluster = Cluster::new();
    let edge = cluster.balancer("edge", "", &[]);
    let _server = cluster.server("one", &(camera("a", "OnDemand") + &ts("a")), &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let viewer = Watcher::new(edge.viewer("/a.ts"));
    viewer.flows(10_000);
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], &[0; 12]] {
        let mut socket = TcpStream::connect(link_of(&edge)).unwrap();
        socket.write_all(garbage).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        read_from(&mut socket, usize::MAX);
    }
    viewer.flows(10_000);
}

//! The status page, the status API, metrics, health, and who may see them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use millrace_e2e::{
    PATTERN, Pod, eventually, feed, live, read_from, remux, repository, resource, run, stream,
};
use serde_json::json;

fn text(pod: &Pod, path: &str, arguments: &[&str]) -> String {
    String::from_utf8(pod.curl(path, arguments).stdout).unwrap()
}

fn two() -> String {
    feed("pattern", &live(PATTERN, 10, "-c:a aac"))
        + &stream("plain", &json!({"path": "/deep/er/plain.ts", "feeds": ["pattern"]}))
        + &stream(
            "made",
            &json!({
                "path": "/made@+x.mkv", "feeds": ["pattern"], "command": remux("-c copy -f matroska")
            }),
        )
}

#[test]
fn the_page_is_complete_without_a_script() {
    let pod = Pod::start(&two());
    let mut viewer = pod.viewer("/deep/er/plain.ts");
    read_from(&mut viewer, 100_000);
    let page = eventually("the page shows what flows", || {
        Some(text(&pod, "/stat", &["-i"])).filter(|page| page.contains("Running") && page.contains("h264"))
    });
    assert!(page.to_lowercase().contains("content-type: text/html"), "{page}");
    let plain = page.to_lowercase();
    for part in [
        "href=\"/deep/er/plain.ts\"",
        "href=\"/deep/er/plain.ts/pic\"",
        "href=\"/made@+x.mkv\"",
        "pattern",
        "on demand",
        "mpegts",
        "media-pod",
        "aac",
    ] {
        assert!(plain.contains(&part.to_lowercase()), "{part} is not in\n{page}");
    }
    // The server's time, and nobody's address: who is connected is not shown by default.
    let today = &pod.log()[0][..10];
    assert!(page.contains(today), "{today}");
    let peer = viewer.local_addr().unwrap().to_string();
    assert!(!page.contains(&peer) && !text(&pod, "/stat.json", &[]).contains(&peer));
}

#[test]
fn viewers_are_shown_where_that_is_switched_on_and_paths_are_configurable() {
    let cluster = json!({
        "statusPage": {"path": "/how/it/is", "clients": true}, "statusApi": {"path": "/how/it/is.json"}
    });
    let pod = Pod::start(&(resource("Cluster", "default", &cluster) + &two()));
    let mut viewer = pod.viewer("/deep/er/plain.ts");
    read_from(&mut viewer, 10_000);
    let peer = viewer.local_addr().unwrap().to_string();
    assert!(text(&pod, "/how/it/is", &[]).contains(&peer));
    let stat: serde_json::Value = serde_json::from_str(&text(&pod, "/how/it/is.json", &[])).unwrap();
    assert_eq!(stat["clients"][0]["peer"], peer.as_str());
    assert_eq!(stat["clients"][0]["stream"], "plain");
    assert_eq!([pod.status("/stat"), pod.status("/stat.json")], [404, 404]);
}

#[test]
fn either_can_be_switched_off() {
    for (spec, expected) in [
        (json!({"statusPage": {"enabled": false}}), [404, 200]),
        (json!({"statusApi": {"enabled": false}}), [200, 404]),
    ] {
        let pod = Pod::start(&(resource("Cluster", "default", &spec) + &two()));
        assert_eq!([pod.status("/stat"), pod.status("/stat.json")], expected, "{spec}");
        let elsewhere = text(&pod, "/nothing", &[]);
        assert_eq!(elsewhere.contains("/stat "), expected[0] == 200, "{elsewhere}");
    }
}

#[test]
fn the_api_says_what_runs() {
    let pod = Pod::start(&two());
    let mut viewer = pod.viewer("/deep/er/plain.ts");
    read_from(&mut viewer, 150_000);
    let stat = eventually("a whole GOP was seen, and what goes out was measured", || {
        let stat = pod.stat();
        let plain = stat["streams"].as_array()?.iter().find(|s| s["name"] == "plain")?.clone();
        (stat["feeds"][0]["gop"].is_object() && plain["egressBps"].as_u64() > Some(0)).then_some(stat)
    });
    let feed = &stat["feeds"][0];
    assert_eq!(
        (&feed["name"], &feed["state"], &feed["container"]),
        (&json!("pattern"), &json!("Running"), &json!("MpegTs"))
    );
    assert_eq!((&feed["activation"], &feed["source"]["kind"]), (&json!("OnDemand"), &json!("Command")));
    assert!(
        feed["pid"].is_u64()
            && feed["bytesIn"].as_u64() > Some(100_000)
            && feed["bitrateBps"].as_u64() > Some(0)
    );
    let gop = feed["gop"]["milliseconds"].as_u64().unwrap();
    assert!((500..2000).contains(&gop), "{gop} ms, of a second");
    let tracks = json!([{"kind": "Video", "codec": "h264"}, {"kind": "Audio", "codec": "aac"}]);
    assert_eq!(feed["tracks"], tracks);
    let plain = pod.entry("streams", "plain");
    assert_eq!((&plain["viewers"], &plain["path"]), (&json!(1), &json!("/deep/er/plain.ts")));
    assert_eq!(plain["snapshotPath"], "/deep/er/plain.ts/pic");
    assert!(plain["bytesOut"].as_u64() > Some(100_000) && plain["command"].is_null());
    let made = pod.entry("streams", "made");
    assert!(
        made["state"] == "Idle" && made["command"].as_str().is_some_and(|c| c.contains("matroska")),
        "{made}"
    );
    assert_eq!(stat["totals"]["viewers"], 1);
    assert!(stat["serverTime"].is_string() && stat["uptimeSeconds"].is_u64() && stat["host"].is_string());
    assert_eq!(stat["listeners"][0], json!({"protocol": "http", "address": pod.address()}));
    assert_eq!(stat["configuration"]["file"], pod.file().display().to_string());
    assert!(
        stat["configuration"]["lastError"].is_null() && stat["process"]["rssBytes"].as_u64() > Some(1 << 20)
    );
    assert!(stat.get("clients").is_none());
}

#[test]
fn two_hundred_streams_are_all_on_the_page() {
    let many: String = (0..200)
        .map(|n| stream(&format!("s{n}"), &json!({"path": format!("/many/{n}.ts"), "feeds": ["pattern"]})))
        .collect();
    let pod = Pod::start(&(feed("pattern", &live(PATTERN, 10, "")) + &many));
    let page = text(&pod, "/stat", &[]);
    assert!((0..200).all(|n| page.contains(&format!("href=\"/many/{n}.ts\""))));
    assert_eq!(pod.stat()["streams"].as_array().unwrap().len(), 200);
    assert!(text(&pod, "/metrics", &[]).matches("millrace_stream_viewers{").count() == 200);
}

#[test]
fn metrics_are_as_prometheus_wants_them_and_all_that_are_documented_are_there() {
    let pod = Pod::start(&two());
    let mut viewer = pod.viewer("/deep/er/plain.ts");
    read_from(&mut viewer, 100_000);
    assert_eq!(pod.status("/nothing"), 404);
    let metrics = eventually("a whole GOP was seen", || {
        Some(text(&pod, "/metrics", &[])).filter(|metrics| metrics.contains("millrace_feed_gop_seconds{"))
    });
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: apt-get install prometheus");
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let complaints =
        String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && complaints.trim().is_empty(), "{complaints}\n{metrics}");
    for line in [
        "millrace_feed_state{feed=\"pattern\",state=\"Running\"} 1",
        "millrace_feed_state{feed=\"pattern\",state=\"Idle\"} 0",
        "millrace_stream_state{stream=\"made\",state=\"Idle\"} 1",
        "millrace_stream_viewers{stream=\"plain\",path=\"/deep/er/plain.ts\"} 1",
        "millrace_feed_holds{feed=\"pattern\"} 1",
        "millrace_configuration_ok 1",
        "millrace_snapshots_decoded_total 0",
    ] {
        assert!(metrics.lines().any(|had| had == line), "{line} is not in\n{metrics}");
    }
    // What docs/operating.md lists is there.
    let docs = fs::read_to_string(repository("docs/operating.md")).unwrap();
    let mut documented = 0;
    // Those of balancers, of links and of upstreams are told where there are any: tests/link, tests/upstreams.
    let elsewhere = |line: &str| {
        ["edge_", "link", "upstream_", "loops_"].iter().any(|of| line.contains(&format!("`millrace_{of}")))
    };
    let rows = docs.lines().filter(|line| line.starts_with("| `millrace_") && !elsewhere(line));
    for row in rows {
        let names = row.split('|').nth(1).unwrap();
        let typed = |name: &str| metrics.contains(&format!("# TYPE {name} "));
        for name in names.split('`').filter(|part| part.starts_with("millrace_") || part.starts_with('_')) {
            let name = name.split('{').next().unwrap();
            let prefixes = ["", "millrace", "millrace_feed", "millrace_stream", "millrace_configuration"];
            assert!(
                prefixes.iter().any(|prefix| typed(&format!("{prefix}{name}"))),
                "{name} is not in\n{metrics}"
            );
            documented += 1;
        }
    }
    assert!(documented >= 18, "{documented}");
    assert_eq!(text(&pod, "/healthz", &[]), "ok\n");
    assert_eq!(text(&pod, "/readyz", &[]), "ok\n");
}

#[test]
fn a_password_can_be_asked_for_of_viewers_by_stream_and_of_operators() {
    let secret = |name: &str, user: &str, password: &str| {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{username: {user}, password: {password}}}\n"
        )
    };
    let basic = |name: &str| json!({"basic": {"secretRef": {"name": name}}});
    let yaml = secret("viewers", "viewer", "let-me-see")
        + &secret("few", "guest", "s3cret")
        + &secret("admins", "admin", "let-me-work")
        + &resource(
            "Cluster",
            "default",
            &json!({"access": {"play": basic("viewers"), "operate": basic("admins")}}),
        )
        + &feed("pattern", &live(PATTERN, 10, ""))
        + &stream("some", &json!({"path": "/some.ts", "feeds": ["pattern"]}))
        + &stream("few", &json!({"path": "/few.ts", "feeds": ["pattern"], "access": {"play": basic("few")}}))
        + &stream(
            "all",
            &json!({"path": "/all.ts", "feeds": ["pattern"], "access": {"play": {"anyone": true}}}),
        );
    let pod = Pod::start(&yaml);
    let status = |path: &str, user: &str| {
        let out = pod.curl(path, &["-I", "-u", user, "-o", "/dev/null", "-w", "%{http_code}"]).stdout;
        String::from_utf8(out).unwrap().parse::<u16>().unwrap()
    };
    let (viewer, guest, admin) = ("viewer:let-me-see", "guest:s3cret", "admin:let-me-work");
    for (path, allowed) in [
        ("/some.ts", &[viewer][..]),
        ("/some.ts/pic", &[viewer]),
        ("/few.ts", &[guest]),
        ("/all.ts", &[viewer, guest, admin, "x:y"]),
        ("/stat", &[admin]),
        ("/stat.json", &[admin]),
        ("/metrics", &[admin]),
        ("/healthz", &[viewer, guest, admin, "x:y"]),
        ("/readyz", &[viewer, guest, admin, "x:y"]),
    ] {
        for user in [viewer, guest, admin, "x:y", "viewer:", "viewer:let-me-see2", "Viewer:let-me-see"] {
            let expected = if allowed.contains(&user) || allowed.len() == 4 { 200 } else { 401 };
            assert_eq!(status(path, user), expected, "{path} as {user}");
        }
    }
    let head = text(&pod, "/some.ts", &["-i"]).to_lowercase();
    assert!(head.starts_with("http/1.1 401") && head.contains("www-authenticate: basic realm="), "{head}");
    assert_eq!(pod.entry("feeds", "pattern"), serde_json::Value::Null, "not without a password");
    let shown = pod.log().join("\n")
        + &text(&pod, "/stat.json", &["-u", admin])
        + &text(&pod, "/stat", &["-u", admin]);
    assert!(!["let-me-see", "s3cret", "let-me-work"].iter().any(|secret| shown.contains(secret)), "{shown}");
}

#[test]
fn https_serves_streams_over_http_1_and_2_with_the_certificate_of_the_example() {
    let yaml = fs::read_to_string(repository("examples/auth-tls.yaml")).unwrap();
    let pod = Pod::start_with(&yaml, &["--https", "127.0.0.1:0"]).unwrap();
    let line = pod.logged("listening https=");
    let address = line.split_once("https=").unwrap().1.to_owned();
    let url = |path: &str| format!("https://{address}{path}");
    let certificate = pod.directory().join("ca.pem");
    let pem = yaml.split_once("tls.crt: |\n").unwrap().1.split("  tls.key").next().unwrap();
    fs::write(&certificate, pem.lines().map(str::trim).collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let ca = certificate.display().to_string();
    for (version, expected) in [("--http1.1", "1.1"), ("--http2", "2")] {
        // Real pictures come; the time limit ends it.
        let file = pod.directory().join("tls.ts").display().to_string();
        let path = url("/pattern.ts?keyframe");
        let argv = [
            "-sS",
            version,
            "--cacert",
            &ca,
            "-u",
            "viewer:let-me-see",
            "-m",
            "4",
            "-o",
            &file,
            "-w",
            "%{http_version} %{http_code}",
            &path,
        ];
        let said = run("curl", &argv, 30);
        assert_eq!(said.text(), format!("{expected} 200"), "{}", said.err);
        let decoded = millrace_e2e::decode(file.as_ref(), 3);
        assert!(decoded.code == Some(0) && decoded.err.is_empty(), "{version}: {}", decoded.err);
    }
    let status = |path: &str, user: &str| {
        run(
            "curl",
            &["-sS", "--cacert", &ca, "-u", user, "-I", "-o", "/dev/null", "-w", "%{http_code}", &url(path)],
            30,
        )
        .text()
    };
    assert_eq!(status("/pattern.ts", "viewer:wrong"), "401");
    assert_eq!(status("/open.ts", "any:body"), "200");
    assert_eq!(status("/stat", "admin:let-me-work"), "200");
    assert_eq!(status("/stat", "viewer:let-me-see"), "401");
}

#[test]
fn the_page_refreshes_itself_where_scripts_run() {
    let pod = Pod::start(&two());
    let answered = || {
        let metrics = text(&pod, "/metrics", &[]);
        let line =
            metrics.lines().find(|line| line.starts_with("millrace_http_responses_total{class=\"2xx\"}"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap()
    };
    let before = answered();
    let profile = tempfile::tempdir().unwrap();
    let mut chromium = Command::new("chromium");
    chromium
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        // Ten seconds of the page's own time, which costs less of ours.
        .args(["--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(pod.url("/stat"));
    let dom = String::from_utf8(chromium.output().unwrap().stdout).unwrap();
    assert!(dom.contains("data-link=\"live\"") || dom.contains("Live"), "{dom}");
    // The page itself, the count before, and what it fetched since.
    assert!(answered() - before >= 4, "it fetched nothing again:\n{dom}");
}

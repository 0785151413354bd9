//! Feeds that take over for others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use std::{fs, path::Path};

use millrace_e2e::{Mark, PATTERN, Pod, STEADY, Watcher, eventually, live, merged, resource, stream};
use serde_json::{Value, json};

fn feed(name: &str, command: &[String], more: &Value) -> String {
    let spec = merged(json!({"source": {"command": command}}), more);
    resource("Feed", name, &spec)
}

fn at_path(feed: &str) -> String {
    stream("stream", &json!({"path": "/stream", "feeds": [feed]}))
}

fn camera() -> String {
    let filter = format!("'{PATTERN}'");
    live(PATTERN, 5, "").join(" ").replace(PATTERN, &filter).replace("{output}", "pipe:1")
}

/// Runs `command` while `file` exists.
fn while_there(file: &Path, command: &str) -> String {
    format!(
        "test -e {file} || exit 1; {command} & while test -e {file}; do sleep 0.05; done; exit 1",
        file = file.display()
    )
}

#[test]
fn a_fallback_that_takes_its_time_is_waited_for_though_its_feed_fails_at_once() {
    let (bad, slow) = (Mark::default(), Mark::default());
    let slow_one = slow.shell(&format!("sleep 4; exec {}", camera()));
    let yaml = feed("main", &bad.shell("exit 1"), &json!({"fallback": ["slow"]}))
        + &feed("slow", &slow_one, &json!({}))
        + &at_path("main");
    let pod = Pod::start(&yaml);
    let viewer = Watcher::new(pod.viewer("/stream"));
    viewer.flows(20_000);
    let main = pod.entry("feeds", "main");
    assert_eq!(main["fallback"], "slow", "{main}");
    assert_eq!(pod.entry("feeds", "slow")["restarts"], 0);
    drop(viewer);
    bad.gone();
    slow.gone();
}

#[test]
fn viewers_stay_while_feeds_take_over_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    fs::write(&here, "").unwrap();
    let (main, backup) = (Mark::default(), Mark::default());
    let yaml =
        feed("main", &main.shell(&while_there(&here, &camera())), &json!({"fallback": ["broken", "backup"]}))
            + &feed("broken", &Mark::default().shell("exit 1"), &json!({}))
            + &feed("backup", &backup.shell(&format!("exec {}", camera())), &json!({}))
            + &at_path("main");
    let pod = Pod::start(&yaml);
    let viewer = Watcher::new(pod.viewer("/stream"));
    viewer.flows(20_000);
    assert_eq!(pod.entry("feeds", "main")["fallback"], Value::Null);
    for _ in 0..2 {
        fs::remove_file(&here).unwrap();
        eventually("the backup gives the bytes", || {
            (pod.entry("feeds", "main")["fallback"] == "backup").then_some(())
        });
        viewer.flows(40_000);
        fs::write(&here, "").unwrap();
        let back = pod.feed_is("main", "Running");
        assert_eq!(back["fallback"], Value::Null, "{back}");
        viewer.flows(20_000);
        pod.feed_is("backup", "Idle");
        backup.gone();
    }
    let body = viewer.body();
    assert!(body.chunks_exact(188).all(|packet| packet[0] == 0x47), "packets are whole");
    drop(viewer);
    main.gone();
}

#[test]
fn bytes_of_no_known_container_are_a_fallback_as_well() {
    let backup = Mark::default();
    let yaml = feed("main", &Mark::default().shell("exit 1"), &json!({"fallback": ["backup"]}))
        + &feed("backup", &backup.shell(STEADY), &json!({}))
        + &at_path("main");
    let pod = Pod::start(&yaml);
    let viewer = Watcher::new(pod.viewer("/stream"));
    viewer.flows(100_000);
    drop(viewer);
    backup.gone();
}

#[test]
fn where_the_fallback_fails_too_the_viewer_is_told_why() {
    let yaml =
        feed("main", &Mark::default().shell("echo 'no camera' >&2; exit 1"), &json!({"fallback": ["slate"]}))
            + &feed("slate", &Mark::default().shell("echo 'no slate' >&2; exit 1"), &json!({}))
            + &at_path("main");
    let pod = Pod::start(&yaml);
    let said = String::from_utf8(pod.curl("/stream", &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("no camera"), "{said}");
    eventually("both rest", || {
        let idle = |name| pod.entry("feeds", name)["state"] == "Idle";
        (idle("main") && idle("slate")).then_some(())
    });
}

#[test]
fn what_cannot_be_begun_in_its_middle_is_begun_anew_when_it_comes_back() {
    let (main, backup) = (Mark::default(), Mark::default());
    let fmp4 = camera().replace("-f mpegts", "-movflags +frag_keyframe+empty_moov+default_base_moof -f mp4");
    // Continuous, for its only viewer is closed in between.
    let more = json!({"fallback": ["backup"], "silence": "0s", "activation": "Continuous"});
    let yaml = feed("main", &main.shell(&format!("exec {fmp4}")), &more)
        + &feed("backup", &backup.shell(&format!("exec {}", camera())), &json!({}))
        + &at_path("main");
    let pod = Pod::start(&yaml);
    let signal = |name: &str, pid: &Value| {
        assert!(
            std::process::Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success()
        );
    };
    let viewer = Watcher::new(pod.viewer("/stream"));
    viewer.flows(10_000);
    let pid = pod.entry("feeds", "main")["pid"].clone();
    signal("-STOP", &pid);
    assert!(viewer.end(), "fragmented MP4 cannot go on with something else: it is closed cleanly");
    let other = Watcher::new(pod.viewer("/stream"));
    other.flows(20_000);
    assert!(other.head().contains("video/mp2t"), "{}", other.head());
    signal("-CONT", &pid);
    eventually("it is started anew", || {
        let main = pod.entry("feeds", "main");
        (main["restarts"] == 1 && main["state"] == "Running" && main["pid"] != pid).then_some(())
    });
    assert!(other.end());
    let again = Watcher::new(pod.viewer("/stream?header"));
    again.flows(10_000);
    assert_eq!(again.body().get(4..8), Some(b"ftyp".as_slice()), "it has a header");
    pod.feed_is("backup", "Idle");
    drop(again);
}

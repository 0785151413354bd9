//! Feeds that take over for others.

use std::{fs, path::Path};

use millrace_e2e::{Mark, PATTERN, Pod, Watcher, eventually, live, remux, resource, stream};
use serde_json::{Value, json};

fn feed(name: &str, command: &[String], more: Value) -> String {
    let mut spec = json!({"source": {"command": command}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
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
    let yaml = feed("main", &bad.shell("exit 1"), json!({"fallback": ["slow"]}))
        + &feed("slow", &slow_one, json!({}))
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
        feed("main", &main.shell(&while_there(&here, &camera())), json!({"fallback": ["broken", "backup"]}))
            + &feed("broken", &Mark::default().shell("exit 1"), json!({}))
            + &feed("backup", &backup.shell(&format!("exec {}", camera())), json!({}))
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
fn where_the_fallback_fails_too_the_viewer_is_told_why() {
    let yaml =
        feed("main", &Mark::default().shell("echo 'no camera' >&2; exit 1"), json!({"fallback": ["slate"]}))
            + &feed("slate", &Mark::default().shell("echo 'no slate' >&2; exit 1"), json!({}))
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
    let folder = tempfile::tempdir().unwrap();
    let stop = folder.path().join("stop");
    let (main, backup) = (Mark::default(), Mark::default());
    // Fragmented MP4 that stops for as long as the file is there, and then goes on where it was.
    let fmp4 = remux("-c copy -f mp4 -movflags +frag_keyframe+empty_moov+default_base_moof -flush_packets 1")
        .join(" ");
    let fmp4 = fmp4.replace("{input}", "pipe:0").replace("{output}", "pipe:1");
    let valve = format!(
        "{} | {fmp4} | while head -c 4000; do while test -e {}; do sleep 0.05; done; done",
        camera(),
        stop.display()
    );
    let yaml = feed("main", &main.shell(&valve), json!({"fallback": ["backup"], "silence": "0s"}))
        + &feed("backup", &backup.shell(&format!("exec {}", camera())), json!({}))
        + &at_path("main");
    let pod = Pod::start(&yaml);
    let viewer = Watcher::new(pod.viewer("/stream"));
    viewer.flows(20_000);
    fs::write(&stop, "").unwrap();
    assert!(viewer.end(), "fragmented MP4 cannot go on with something else: it is closed cleanly");
    let other = Watcher::new(pod.viewer("/stream"));
    other.flows(20_000);
    fs::remove_file(&stop).unwrap();
    eventually("it is started anew", || {
        (pod.entry("feeds", "main")["restarts"].as_u64()? >= 1).then_some(())
    });
    pod.feed_is("main", "Running");
    let again = Watcher::new(pod.viewer("/stream?header"));
    again.flows(20_000);
    assert_eq!(again.body().get(4..8), Some(b"ftyp".as_slice()), "it has a header");
    drop((again, other));
    main.gone();
    backup.gone();
}

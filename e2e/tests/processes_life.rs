//! When feeds run, and when they do not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use std::{
    fs,
    time::{Duration, Instant},
};

use millrace_e2e::{
    Mark, PATTERN, Pod, STEADY, Watcher, eventually, feed, live, merged, packets, remux, resource, run,
    stream,
};
use serde_json::{Value, json};

fn passed_through(name: &str) -> String {
    stream(name, &json!({"path": format!("/{name}"), "feeds": [name]}))
}

fn steady(name: &str, mark: &Mark, more: &Value) -> String {
    let spec = merged(json!({"source": {"command": mark.shell(STEADY)}}), more);
    resource("Feed", name, &spec) + &passed_through(name)
}

/// ffmpeg, carrying the mark.
fn camera(mark: &Mark) -> Vec<String> {
    live(PATTERN, 5, &format!("-metadata title={}", mark.text()))
}

fn kill(pid: &Value) {
    assert!(std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn an_on_demand_feed_runs_from_the_first_viewer_to_the_last() {
    let mark = Mark::default();
    let pod = Pod::start(&steady("feed", &mark, &json!({})));
    assert_eq!(pod.entry("feeds", "feed")["state"], "Idle");
    assert!(mark.alive().is_empty());
    let first = Watcher::new(pod.viewer("/feed"));
    first.flows(10_000);
    let pid = pod.feed_is("feed", "Running")["pid"].clone();
    let second = Watcher::new(pod.viewer("/feed"));
    second.flows(10_000);
    drop(first);
    eventually("one viewer is left", || (pod.entry("streams", "feed")["viewers"] == 1).then_some(()));
    second.flows(40_000);
    assert_eq!(pod.entry("feeds", "feed")["pid"], pid);
    drop(second);
    let idle = pod.feed_is("feed", "Idle");
    assert_eq!((&idle["pid"], &idle["restarts"], &idle["holds"]), (&Value::Null, &json!(0), &json!(0)));
    mark.gone();
}

#[test]
fn an_on_demand_feed_ends_with_its_viewer_though_it_is_silent() {
    let mark = Mark::default();
    let silent = mark.shell("head -c 70000 /dev/zero; sleep 1000; :");
    let pod = Pod::start(&(feed("feed", &silent) + &passed_through("feed")));
    let viewer = Watcher::new(pod.viewer("/feed"));
    viewer.flows(10_000);
    pod.feed_is("feed", "Silent");
    drop(viewer);
    pod.feed_is("feed", "Idle");
    mark.gone();
}

#[test]
fn a_feed_with_a_timeout_lingers_and_a_viewer_who_comes_back_finds_it() {
    let mark = Mark::default();
    let pod = Pod::start(&steady("feed", &mark, &json!({"activation": 3})));
    let viewer = Watcher::new(pod.viewer("/feed"));
    viewer.flows(10_000);
    let pid = pod.feed_is("feed", "Running")["pid"].clone();
    drop(viewer);
    eventually("nobody watches", || (pod.entry("feeds", "feed")["holds"] == 0).then_some(()));
    let again = Watcher::new(pod.viewer("/feed"));
    again.flows(10_000);
    assert_eq!(pod.entry("feeds", "feed")["pid"], pid);
    drop(again);
    eventually("nobody watches", || (pod.entry("feeds", "feed")["holds"] == 0).then_some(()));
    let left = Instant::now();
    pod.feed_is("feed", "Idle");
    assert!(left.elapsed() > Duration::from_secs(2), "it lingered {:?}", left.elapsed());
    mark.gone();
}

#[test]
fn a_continuous_feed_runs_without_viewers() {
    let mark = Mark::default();
    let pod = Pod::start(&steady("feed", &mark, &json!({"activation": "Continuous"})));
    let feed = pod.feed_is("feed", "Running");
    let bytes = || pod.entry("feeds", "feed")["bytesIn"].as_u64().unwrap();
    let so_far = bytes();
    eventually("it goes on", || (bytes() > so_far + 100_000).then_some(()));
    let viewer = Watcher::new(pod.viewer("/feed"));
    viewer.flows(10_000);
    drop(viewer);
    eventually("nobody watches", || (pod.entry("streams", "feed")["viewers"] == 0).then_some(()));
    kill(&feed["pid"]);
    let again = eventually("it is resurrected with nobody watching", || {
        Some(pod.entry("feeds", "feed")).filter(|feed| feed["restarts"] == 1 && feed["state"] == "Running")
    });
    assert_ne!(again["pid"], feed["pid"]);
}

#[test]
fn two_streams_and_an_encoder_share_one_process() {
    let (mark, of_encoder) = (Mark::default(), Mark::default());
    let yaml = steady("feed", &mark, &json!({}))
        + &stream("again", &json!({"path": "/again", "feeds": ["feed"]}))
        + &stream("cat", &json!({"path": "/cat", "feeds": ["feed"], "command": of_encoder.shell("cat; :")}));
    let pod = Pod::start(&yaml);
    let viewers: Vec<_> =
        ["/feed", "/again", "/cat", "/cat"].iter().map(|path| Watcher::new(pod.viewer(path))).collect();
    for viewer in &viewers {
        viewer.flows(40_000);
    }
    assert_eq!((mark.alive().len(), of_encoder.alive().len()), (1, 1));
    drop(viewers);
    mark.gone();
    of_encoder.gone();
}

#[test]
fn a_feed_that_dies_in_use_is_resurrected_under_its_viewers() {
    let mark = Mark::default();
    let fmp4 = remux("-c copy -f mp4 -movflags +frag_keyframe+empty_moov+default_base_moof -flush_packets 1");
    let yaml = feed("feed", &camera(&mark))
        + &passed_through("feed")
        + &stream("fmp4", &json!({"path": "/fmp4", "feeds": ["feed"], "command": fmp4}));
    let pod = Pod::start(&yaml);
    let ts = Watcher::new(pod.viewer("/feed?keyframe=last"));
    let mp4 = Watcher::new(pod.viewer("/fmp4"));
    ts.flows(20_000);
    mp4.flows(20_000);
    let before = pod.feed_is("feed", "Running");
    kill(&before["pid"]);
    let died = Instant::now();
    let after = eventually("another one runs", || {
        Some(pod.entry("feeds", "feed")).filter(|feed| feed["restarts"] == 1 && feed["state"] == "Running")
    });
    assert!(died.elapsed() < Duration::from_secs(10), "{:?}", died.elapsed());
    assert_ne!(before["pid"], after["pid"]);
    assert_eq!(after["lastExit"]["signal"], 9);
    ts.flows(60_000);
    assert!(!ts.ended());
    // What the viewer has is one stream that decodes across the gap.
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen.ts");
    fs::write(&seen, ts.body()).unwrap();
    assert!(packets(&seen).iter().filter(|packet| packet.video && packet.key).count() >= 4);
    let file = seen.display().to_string();
    let said = run("ffmpeg", &["-v", "quiet", "-i", &file, "-map", "0:v", "-f", "null", "-"], 60);
    assert_eq!(said.code, Some(0));
    // The encoder of the other stream reads on; only its own end would end its viewers.
    assert!(!mp4.ended());
    mp4.flows(20_000);
}

#[test]
fn a_viewer_of_fragmented_mp4_is_closed_cleanly_when_its_encoder_dies() {
    let mark = Mark::default();
    let fmp4 = remux("-c copy -f mp4 -movflags +frag_keyframe+empty_moov+default_base_moof -flush_packets 1");
    let yaml = feed("feed", &camera(&mark))
        + &passed_through("feed")
        + &stream("fmp4", &json!({"path": "/fmp4", "feeds": ["feed"], "command": fmp4}));
    let pod = Pod::start(&yaml);
    let (ts, mp4) = (Watcher::new(pod.viewer("/feed")), Watcher::new(pod.viewer("/fmp4")));
    mp4.flows(20_000);
    ts.flows(10_000);
    let encoder = pod.entry("streams", "fmp4")["pid"].clone();
    kill(&encoder);
    assert!(mp4.end(), "it was reset");
    let again = Watcher::new(pod.viewer("/fmp4"));
    again.flows(20_000);
    ts.flows(10_000);
    let folder = tempfile::tempdir().unwrap();
    for (name, viewer) in [("first", &mp4), ("second", &again)] {
        let file = folder.path().join(name);
        fs::write(&file, viewer.body()).unwrap();
        let seen = packets(&file).iter().filter(|packet| packet.video).count();
        assert!(seen >= 3, "{name}: {seen} pictures");
    }
    assert_eq!(pod.entry("feeds", "feed")["restarts"], 0);
}

#[test]
fn who_must_not_be_resurrected_is_not() {
    let (mark, of_encoder) = (Mark::default(), Mark::default());
    let yaml = steady("feed", &mark, &json!({"resurrect": false}))
        + &stream("cat", &json!({"path": "/cat", "feeds": ["feed"], "command": of_encoder.shell("cat; :")}));
    let pod = Pod::start(&yaml);
    let (plain, encoded) = (Watcher::new(pod.viewer("/feed")), Watcher::new(pod.viewer("/cat")));
    plain.flows(10_000);
    encoded.flows(10_000);
    kill(&pod.feed_is("feed", "Running")["pid"]);
    assert!(plain.end(), "its viewers are let go");
    assert!(encoded.end(), "those of what is made of it, too");
    let idle = pod.feed_is("feed", "Idle");
    assert_eq!((&idle["restarts"], &idle["lastExit"]["signal"]), (&json!(0), &json!(9)), "{idle}");
    mark.gone();
    of_encoder.gone();
    // Who comes anew is another beginning, no resurrection.
    let anew = Watcher::new(pod.viewer("/feed"));
    anew.flows(10_000);
}

#[test]
fn a_continuous_feed_that_must_not_be_resurrected_tells_those_who_come() {
    let mark = Mark::default();
    let pod = Pod::start(&steady("feed", &mark, &json!({"resurrect": false, "activation": "Continuous"})));
    kill(&pod.feed_is("feed", "Running")["pid"]);
    pod.feed_is("feed", "Failed");
    let said = String::from_utf8(pod.curl("/feed", &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("SIGKILL"), "{said}");
    assert!(!said.to_lowercase().contains("retry-after"), "{said}");
    // An edit brings it back.
    pod.edit(&steady("feed", &mark, &json!({"activation": "Continuous"})));
    pod.feed_is("feed", "Running");
    let viewer = Watcher::new(pod.viewer("/feed"));
    viewer.flows(10_000);
}

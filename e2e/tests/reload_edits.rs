//! An edit of the file changes what it names, and nothing else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use std::{fs, os::unix::fs::symlink};

use millrace_e2e::{Mark, PATTERN, Pod, STEADY, Watcher, eventually, feed, live, merged, resource, stream};
use serde_json::{Value, json};

fn at(name: &str, path: &str, feed: &str) -> String {
    stream(name, &json!({"path": path, "feeds": [feed]}))
}

fn copied(name: &str, feed: &str, mark: &Mark, with: &str) -> String {
    let command = mark.shell(&format!(": {with}; cat; :"));
    stream(name, &json!({"path": format!("/{name}"), "feeds": [feed], "command": command}))
}

fn taken(pod: &Pod, times: usize) {
    eventually(&format!("{times} edits are taken"), || {
        let taken = pod.log().iter().filter(|line| line.contains("configuration taken")).count();
        (taken >= times).then_some(())
    });
}

/// What must be the same before and after an edit, of a feed or stream.
fn trace(pod: &Pod, list: &str, name: &str) -> (Value, Value) {
    let entry = pod.entry(list, name);
    (entry["pid"].clone(), entry["restarts"].clone())
}

#[test]
fn an_edit_of_one_stream_leaves_all_others_alone() {
    let marks: [Mark; 3] = Default::default();
    let file = |with: &str| {
        feed("feed", &marks[0].shell(STEADY))
            + &at("plain", "/plain", "feed")
            + &copied("one", "feed", &marks[1], with)
            + &copied("two", "feed", &marks[2], "same")
    };
    let pod = Pod::start(&file("before"));
    let viewers: Vec<_> = ["/plain", "/one", "/two"].map(|path| Watcher::new(pod.viewer(path))).into();
    for viewer in &viewers {
        viewer.flows(40_000);
    }
    let before = (trace(&pod, "feeds", "feed"), trace(&pod, "streams", "two"), trace(&pod, "streams", "one"));
    let revision = pod.stat()["configuration"]["revision"].clone();
    pod.edit(&file("after"));
    taken(&pod, 1);
    let line = pod.logged("configuration taken");
    assert!(
        line.contains("stream one: Adjust") && !line.contains("two") && !line.contains("plain"),
        "{line}"
    );
    eventually("the one has another process", || {
        let now = trace(&pod, "streams", "one").0;
        (now.is_u64() && now != before.2.0).then_some(())
    });
    // Bytes of no known container go on over a restart: even of that one the viewers stay.
    for viewer in &viewers {
        viewer.flows(100_000);
    }
    assert_eq!((trace(&pod, "feeds", "feed"), trace(&pod, "streams", "two")), (before.0, before.1));
    assert_ne!(pod.stat()["configuration"]["revision"], revision);
    drop(viewers);
    marks.iter().for_each(Mark::gone);
}

#[test]
fn a_bad_edit_is_refused_and_everything_goes_on() {
    let mark = Mark::default();
    let good = feed("feed", &mark.shell(STEADY)) + &at("stream", "/stream", "feed");
    let pod = Pod::start(&good);
    let viewer = Watcher::new(pod.viewer("/stream"));
    viewer.flows(10_000);
    let before = trace(&pod, "feeds", "feed");
    pod.edit(
        &(good.clone() + &stream("other", &json!({"path": "/stream", "feeds": ["feed"], "colour": "red"}))),
    );
    let error = eventually("the edit is refused", || {
        Some(pod.stat()["configuration"]["lastError"].clone()).filter(Value::is_object)
    });
    let diagnostic = error["diagnostics"][0].as_str().unwrap().to_owned();
    let place = format!("{}:6: Stream/other spec.colour", pod.file().display());
    assert!(diagnostic.starts_with(&place), "{diagnostic}");
    pod.logged("the edit was refused");
    pod.logged(&place);
    assert!(error["at"].is_string(), "{error}");
    viewer.flows(40_000);
    assert_eq!(trace(&pod, "feeds", "feed"), before);
    assert_eq!(pod.status("/healthz"), 200);
    // It is said once, not at every look.
    let said = pod.log().iter().filter(|line| line.contains("the edit was refused")).count();
    assert_eq!(said, 1);
    // Back to what runs: nothing is left of the error.
    pod.edit(&good);
    eventually("the error is gone", || pod.stat()["configuration"]["lastError"].is_null().then_some(()));
    viewer.flows(40_000);
    assert_eq!(trace(&pod, "feeds", "feed"), before);
}

#[test]
fn a_file_that_is_replaced_removed_or_swapped_like_a_config_map_is_followed() {
    let (mark, folder) = (Mark::default(), tempfile::tempdir().unwrap());
    let yaml = |paths: &[&str]| {
        let streams = paths.iter().enumerate().map(|(n, path)| at(&format!("s{n}"), path, "feed"));
        feed("feed", &mark.shell(STEADY)) + &streams.collect::<String>()
    };
    // As an editor does.
    let pod = Pod::start(&yaml(&["/first"]));
    let viewer = Watcher::new(pod.viewer("/first"));
    viewer.flows(10_000);
    let new = pod.directory().join(".millrace.yaml.swp");
    fs::write(&new, yaml(&["/first", "/second"])).unwrap();
    fs::rename(&new, pod.file()).unwrap();
    taken(&pod, 1);
    Watcher::new(pod.viewer("/second")).flows(10_000);
    // Removed for a while, and back with something else.
    fs::remove_file(pod.file()).unwrap();
    eventually("that is told", || pod.stat()["configuration"]["lastError"].is_object().then_some(()));
    viewer.flows(10_000);
    pod.edit(&yaml(&["/first", "/second", "/third"]));
    taken(&pod, 2);
    assert!(pod.stat()["configuration"]["lastError"].is_null());
    // In place, in two steps.
    fs::write(pod.file(), "").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    pod.edit(&yaml(&["/first", "/second", "/third", "/fourth"]));
    taken(&pod, 3);
    viewer.flows(10_000);
    assert!(!viewer.ended());

    // As the kubelet does: file -> ..data/file, ..data -> a folder, replaced by a rename.
    let mounted = folder.path().join("mounted");
    for version in ["1", "2"] {
        fs::create_dir_all(mounted.join(version)).unwrap();
        fs::write(mounted.join(version).join("m.yaml"), yaml(&["/first", "/v"][..version.parse().unwrap()]))
            .unwrap();
    }
    symlink("1", mounted.join("..data")).unwrap();
    symlink("..data/m.yaml", mounted.join("m.yaml")).unwrap();
    let swapped = Pod::start_on(&mounted.join("m.yaml")).unwrap();
    let other = Watcher::new(swapped.viewer("/first"));
    other.flows(10_000);
    symlink("2", mounted.join("..tmp")).unwrap();
    fs::rename(mounted.join("..tmp"), mounted.join("..data")).unwrap();
    taken(&swapped, 1);
    Watcher::new(swapped.viewer("/v")).flows(10_000);
    other.flows(10_000);
}

#[test]
fn another_command_of_a_feed_restarts_it_and_its_viewers_stay() {
    let camera = |gop: u32| feed("feed", &live(PATTERN, gop, "")) + &at("stream", "/stream", "feed");
    let pod = Pod::start(&camera(5));
    let viewer = Watcher::new(pod.viewer("/stream"));
    viewer.flows(20_000);
    let before = pod.feed_is("feed", "Running");
    pod.edit(&camera(6));
    taken(&pod, 1);
    let after = eventually("it runs anew", || {
        Some(pod.entry("feeds", "feed")).filter(|feed| feed["pid"].is_u64() && feed["pid"] != before["pid"])
    });
    assert_eq!(after["restarts"], before["restarts"], "an edit is no failure");
    viewer.flows(40_000);
    assert!(viewer.body().chunks_exact(188).all(|packet| packet[0] == 0x47), "packets are whole");
}

#[test]
fn the_annotation_restarts_what_has_it_and_nothing_else() {
    let marks: [Mark; 4] = Default::default();
    let asks = |document: String, asked: Option<&str>| {
        let mut document: Value = serde_json::from_str(document.trim_start_matches("---\n")).unwrap();
        if let Some(text) = asked {
            document["metadata"]["annotations"] = json!({"millrace.dev/restart": text});
        }
        format!("---\n{document}\n")
    };
    let file = |a: Option<&str>, one: Option<&str>, plain: Option<&str>| {
        asks(feed("a", &marks[0].shell(STEADY)), a)
            + &feed("b", &marks[1].shell(STEADY))
            + &asks(at("plain", "/plain", "a"), plain)
            + &asks(copied("one", "b", &marks[2], "same"), one)
            + &copied("two", "b", &marks[3], "same")
    };
    let pod = Pod::start(&file(None, None, None));
    let viewers: Vec<_> = ["/plain", "/one", "/two"].map(|path| Watcher::new(pod.viewer(path))).into();
    for viewer in &viewers {
        viewer.flows(40_000);
    }
    let everybody = [("feeds", "a"), ("feeds", "b"), ("streams", "one"), ("streams", "two")];
    let traces = || everybody.map(|(list, name)| trace(&pod, list, name));
    let at = Some("2026-11-21T17:30:07+00:00");
    let edits = [
        (file(Some("1"), None, None), Some("a")),
        (file(Some("2"), None, None), Some("a")),
        (file(Some("2"), at, None), Some("one")),
        // Taken away it asks for nothing, and a stream that is passed through has nothing to restart.
        (file(None, None, Some("1")), None),
        (file(None, at, Some("1")), Some("one")),
    ];
    for (n, (edit, restarted)) in edits.iter().enumerate() {
        let before = traces();
        pod.edit(edit);
        taken(&pod, n + 1);
        let asked = |name: &str| *restarted == Some(name);
        eventually("who was asked has another process", || {
            let now = traces();
            let anew = |place: usize| now[place].0.is_u64() && now[place].0 != before[place].0;
            (0..4).all(|place| anew(place) == asked(everybody[place].1)).then_some(())
        });
        for viewer in &viewers {
            viewer.flows(60_000);
        }
        for ((was, now), (_, name)) in before.iter().zip(&traces()).zip(&everybody) {
            assert_eq!(was.0 != now.0, asked(name), "edit {n}: {name}");
            assert_eq!(was.1, now.1, "edit {n}: {name}: to be asked is no failure");
        }
    }
    drop(viewers);
    marks.iter().for_each(Mark::gone);
}

#[test]
fn what_does_not_concern_the_process_of_a_feed_does_not_restart_it() {
    let mark = Mark::default();
    let with = |more: &Value| {
        let spec = merged(json!({"source": {"command": mark.shell(STEADY)}}), more);
        resource("Feed", "feed", &spec) + &at("stream", "/stream", "feed")
    };
    let pod = Pod::start(&with(&json!({})));
    let viewer = Watcher::new(pod.viewer("/stream"));
    viewer.flows(10_000);
    let pid = pod.feed_is("feed", "Running")["pid"].clone();
    let mores = [
        json!({"activation": 30}),
        json!({"activation": "Continuous"}),
        json!({"silence": "5s", "resurrect": false}),
    ];
    for (n, more) in mores.iter().enumerate() {
        pod.edit(&with(more));
        taken(&pod, n + 1);
        viewer.flows(20_000);
        assert_eq!(pod.entry("feeds", "feed")["pid"], pid, "{more}");
    }
    // The newest one counts: nobody watches, and it is on demand.
    drop(viewer);
    eventually("nobody watches", || (pod.entry("feeds", "feed")["holds"] == 0).then_some(()));
    pod.edit(&with(&json!({"activation": "OnDemand"})));
    pod.feed_is("feed", "Idle");
    mark.gone();
    pod.edit(&with(&json!({"activation": "Continuous"})));
    pod.feed_is("feed", "Running");
}

#[test]
fn removal_and_another_path_close_the_viewers_of_that_stream_only() {
    let (mark, other) = (Mark::default(), Mark::default());
    let feeds = feed("feed", &mark.shell(STEADY)) + &feed("other", &other.shell(STEADY));
    let all = feeds.clone()
        + &at("stays", "/stays", "feed")
        + &at("goes", "/goes", "feed")
        + &at("moves", "/old", "other");
    let pod = Pod::start(&all);
    let [stays, goes, moves] = ["/stays", "/goes", "/old"].map(|path| Watcher::new(pod.viewer(path)));
    for viewer in [&stays, &goes, &moves] {
        viewer.flows(10_000);
    }
    let before = (trace(&pod, "feeds", "feed"), trace(&pod, "feeds", "other"));
    pod.edit(&(feeds.clone() + &at("stays", "/stays", "feed") + &at("moves", "/new", "other")));
    assert!(goes.end() && moves.end(), "they are closed cleanly");
    assert_eq!((pod.status("/goes"), pod.status("/old")), (404, 404));
    stays.flows(40_000);
    let elsewhere = Watcher::new(pod.viewer("/new"));
    elsewhere.flows(10_000);
    assert_eq!(trace(&pod, "feeds", "feed"), before.0);
    // Feeds that are no more end with their processes.
    pod.edit(&(feed("feed", &mark.shell(STEADY)) + &at("stays", "/stays", "feed")));
    assert!(elsewhere.end());
    other.gone();
    stays.flows(40_000);
    assert_eq!(trace(&pod, "feeds", "feed"), before.0);
    pod.edit("");
    assert!(stays.end());
    mark.gone();
}

#[test]
fn a_stream_that_waits_when_it_is_removed_lets_its_viewers_go() {
    let mark = Mark::default();
    let pod = Pod::start(&(feed("feed", &mark.shell("sleep 1000; :")) + &at("stream", "/stream", "feed")));
    let waits = Watcher::new(pod.viewer("/stream"));
    mark.count_is(1);
    pod.edit("");
    waits.end();
    assert!(waits.head().starts_with("HTTP/1.1 503"), "{}", waits.head());
    mark.gone();
}

#[test]
fn a_stream_and_the_feed_it_needs_now_may_come_with_one_edit() {
    let (first, second, encoder) = (Mark::default(), Mark::default(), Mark::default());
    let before = feed("first", &first.shell(STEADY)) + &copied("stream", "first", &encoder, "same");
    let after = feed("second", &second.shell(STEADY)) + &copied("stream", "second", &encoder, "same");
    let pod = Pod::start(&before);
    let viewer = Watcher::new(pod.viewer("/stream"));
    viewer.flows(20_000);
    for edit in [&after, &before, &after, &before] {
        pod.edit(edit);
        let (old, new) = if edit == &after { (&first, &second) } else { (&second, &first) };
        old.gone();
        new.count_is(1);
        viewer.flows(90_000);
    }
}

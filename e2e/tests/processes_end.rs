//! No process outlives who wanted it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use millrace_e2e::{
    Mark, PATTERN, Pod, STEADY, Watcher, children_of, eventually, feed, live, resource, stream,
};
use serde_json::json;

fn passed_through(name: &str) -> String {
    stream(name, &json!({"path": format!("/{name}"), "feeds": [name]}))
}

/// A shell that leaves a child behind and becomes ffmpeg, all of them marked.
fn leaver(mark: &Mark) -> Vec<String> {
    let ffmpeg = live(PATTERN, 5, &format!("-metadata title={}", mark.text())).join(" ");
    let ffmpeg = ffmpeg.replace("{output}", "pipe:1").replace(PATTERN, &format!("'{PATTERN}'"));
    let stays = format!("sh -c 'sleep 1000; :' {}", mark.text());
    mark.shell(&format!("{stays} & setsid {stays} & exec {ffmpeg}"))
}

#[test]
fn killing_the_media_pod_leaves_nothing() {
    let mark = Mark::default();
    let of_encoder = json!({"path": "/encoded", "feeds": ["feed"], "command": leaver(&mark)});
    let pod = Pod::start(
        &(feed("feed", &leaver(&mark)) + &passed_through("feed") + &stream("encoded", &of_encoder)),
    );
    let plain = Watcher::new(pod.viewer("/feed"));
    let encoded = Watcher::new(pod.viewer("/encoded"));
    plain.flows(1000);
    encoded.flows(1000);
    assert_eq!(mark.count_is(6).len(), 6, "each twice in the background, and ffmpeg");
    let all = children_of(pod.pid());
    assert!(all.len() >= 8, "{all:?}");
    pod.signal("KILL");
    mark.gone();
    eventually("the runners of commands end, too", || {
        let alive = |pid: &&u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
        };
        all.iter().find(alive).is_none().then_some(())
    });
}

#[test]
fn sigterm_ends_all_orderly() {
    let mark = Mark::default();
    let stubborn = mark.shell(&format!("trap '' TERM; {STEADY}"));
    let mut pod = Pod::start(
        &(feed("feed", &leaver(&mark))
            + &passed_through("feed")
            + &resource(
                "Feed",
                "stubborn",
                &json!({"source": {"command": stubborn}, "activation": "Continuous"}),
            )),
    );
    let viewer = Watcher::new(pod.viewer("/feed"));
    viewer.flows(1000);
    pod.feed_is("stubborn", "Running");
    pod.signal("TERM");
    assert_eq!(pod.ended(), Some(0));
    viewer.end();
    mark.gone();
    pod.logged("ending");
}

#[test]
fn what_a_command_leaves_behind_ends_with_it() {
    let mark = Mark::default();
    let stays = format!("sh -c 'sleep 1000; :' {}", mark.text());
    let leaves = mark.shell(&format!("{stays} & setsid {stays} & head -c 70000 /dev/zero; exit 7"));
    let once = json!({"source": {"command": leaves}, "activation": "Continuous", "resurrect": false});
    let pod = Pod::start(&(resource("Feed", "feed", &once) + &passed_through("feed")));
    let failed = pod.feed_is("feed", "Failed");
    assert_eq!(failed["lastExit"]["code"], 7, "{failed}");
    mark.gone();
}

#[test]
fn the_last_words_of_a_process_are_kept_and_logged() {
    let mark = Mark::default();
    let talks = mark
        .shell("for i in $(seq 100); do echo \"line $i\" >&2; done; echo 'the sensor is gone' >&2; exit 9");
    let once = json!({"source": {"command": talks}, "activation": "Continuous", "resurrect": false});
    let pod = Pod::start(&resource("Feed", "feed", &once));
    let exit = pod.feed_is("feed", "Failed")["lastExit"].clone();
    let stderr: Vec<&str> =
        exit["stderr"].as_array().unwrap().iter().filter_map(|line| line.as_str()).collect();
    assert_eq!(stderr.last(), Some(&"the sensor is gone"));
    assert!(stderr.len() <= 40 && stderr.contains(&"line 100") && !stderr.contains(&"line 1"), "{stderr:?}");
    assert_eq!(exit["code"], 9);
    assert!(exit["reason"].as_str().unwrap().ends_with(": the sensor is gone"), "{exit}");
    pod.logged("the sensor is gone");
    pod.logged("line 100");
}

#[test]
fn a_command_that_is_killed_says_by_which_signal() {
    let mark = Mark::default();
    let once =
        json!({"source": {"command": mark.shell(STEADY)}, "activation": "Continuous", "resurrect": false});
    let pod = Pod::start(&resource("Feed", "feed", &once));
    let pid = pod.feed_is("feed", "Running")["pid"].to_string();
    std::process::Command::new("kill").args(["-SEGV", &pid]).status().unwrap();
    let exit = pod.feed_is("feed", "Failed")["lastExit"].clone();
    assert_eq!((&exit["signal"], &exit["code"]), (&json!(11), &json!(null)), "{exit}");
    assert!(exit["reason"].as_str().unwrap().contains("SIGSEGV"), "{exit}");
    mark.gone();
}

#[test]
fn the_runner_of_commands_may_die_and_all_goes_on() {
    let mark = Mark::default();
    let pod = Pod::start(&(feed("feed", &leaver(&mark)) + &passed_through("feed")));
    let viewer = Watcher::new(pod.viewer("/feed"));
    viewer.flows(1000);
    let agent = eventually("the runner", || {
        let command = pod.feed_is("feed", "Running")["pid"].as_u64()? as u32;
        // A descendant of ours, not the command: the one whose descendant the command is, nearest to us.
        children_of(pod.pid()).into_iter().find(|pid| children_of(*pid).contains(&command))
    });
    std::process::Command::new("kill").args(["-KILL", &agent.to_string()]).status().unwrap();
    eventually("the feed runs again", || {
        (pod.entry("feeds", "feed")["restarts"].as_u64()? >= 1).then_some(())
    });
    viewer.flows(10_000);
    mark.count_is(3);
    drop(viewer);
    mark.gone();
}

//! Commands of streams that do what they should not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use millrace_e2e::{Mark, Pod, STEADY, Watcher, eventually, feed, merged, stream};
use serde_json::{Value, json};

fn with_command(name: &str, more: &Value) -> String {
    let spec = merged(json!({"path": format!("/{name}"), "feeds": ["good"]}), more);
    stream(name, &spec)
}

fn good() -> String {
    stream("good", &json!({"path": "/good", "feeds": ["good"]}))
}

#[test]
fn a_command_that_never_reads_neither_stops_its_feed_nor_fills_the_memory() {
    let (of_feed, of_stream) = (Mark::default(), Mark::default());
    let fast = of_feed.shell("while :; do head -c 1000000 /dev/zero; sleep 0.02; done");
    let deaf = of_stream.shell("exec sleep 1000");
    let bad = with_command("bad", &json!({"command": deaf, "silence": "0s"}));
    let pod = Pod::start(&(feed("good", &fast) + &good() + &bad));
    let neighbour = Watcher::new(pod.viewer("/good"));
    neighbour.flows(1_000_000);
    let waits = Watcher::new(pod.viewer("/bad"));
    of_stream.count_is(0); // The shell became `sleep`, which carries no mark.
    let before = pod.rss();
    let so_far = neighbour.received();
    neighbour.flows(150_000_000);
    assert!(pod.rss() < before + (100 << 20), "{before} to {} after {so_far}", pod.rss());
    assert_eq!(waits.received(), 0);
    assert_eq!(pod.entry("feeds", "good")["restarts"], 0);
    drop(waits);
    eventually("the command ends with its viewer", || {
        (pod.entry("streams", "bad")["state"] == "Idle").then_some(())
    });
    neighbour.flows(1_000_000);
    drop(neighbour);
    of_feed.gone();
}

#[test]
fn a_command_that_gives_nothing_is_noticed_and_started_again() {
    let (of_feed, of_stream) = (Mark::default(), Mark::default());
    let mute = of_stream.shell("cat > /dev/null");
    let bad = with_command("bad", &json!({"command": mute, "silence": "1s"}));
    let pod = Pod::start(&(feed("good", &of_feed.shell(STEADY)) + &good() + &bad));
    let neighbour = Watcher::new(pod.viewer("/good"));
    neighbour.flows(10_000);
    let _waits = pod.viewer("/bad");
    let bad = eventually("it is started again", || {
        Some(pod.entry("streams", "bad")).filter(|bad| bad["restarts"].as_u64() >= Some(1))
    });
    assert_eq!(bad["lastExit"]["reason"], "gave nothing for 1 s, and was ended");
    neighbour.flows(10_000);
}

#[test]
fn a_command_without_a_feed_that_gives_nothing_is_noticed_too() {
    let mark = Mark::default();
    let bad =
        stream("bad", &json!({"path": "/bad", "command": mark.shell("sleep 1000; :"), "silence": "1s"}));
    let pod = Pod::start(&bad);
    let waits = pod.viewer("/bad");
    eventually("it is started again", || {
        (pod.entry("streams", "bad")["restarts"].as_u64()? >= 1).then_some(())
    });
    drop(waits);
    mark.gone();
}

#[test]
fn a_command_that_does_not_exist_is_named_to_the_viewer_and_in_the_status() {
    let of_feed = Mark::default();
    let bad = with_command("bad", &json!({"command": ["no-such-encoder", "-i", "{input}"]}));
    let pod = Pod::start(&(feed("good", &of_feed.shell(STEADY)) + &good() + &bad));
    let neighbour = Watcher::new(pod.viewer("/good"));
    neighbour.flows(10_000);
    let said = String::from_utf8(pod.curl("/bad", &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(said.contains("command not found") && said.contains("no-such-encoder"), "{said}");
    let bad = pod.entry("streams", "bad");
    assert!(bad["lastExit"]["reason"].as_str().unwrap().contains("no-such-encoder"), "{bad}");
    pod.logged("no-such-encoder");
    // The tenth one who asks is told the same, and the log is not.
    for _ in 0..10 {
        assert_eq!(pod.status("/bad"), 503);
    }
    let told = pod.log().iter().filter(|line| line.contains(" WARN ")).count();
    assert!(told <= 6, "{told} lines");
    neighbour.flows(10_000);
    drop(neighbour);
    of_feed.gone();
}

#[test]
fn a_command_that_exits_at_once_is_told_with_its_last_words() {
    let (of_feed, of_stream) = (Mark::default(), Mark::default());
    let exits = of_stream.shell("echo 'unknown encoder: h266' >&2; exit 8");
    let bad = with_command("bad", &json!({"command": exits}));
    let pod = Pod::start(&(feed("good", &of_feed.shell(STEADY)) + &good() + &bad));
    let neighbour = Watcher::new(pod.viewer("/good"));
    neighbour.flows(10_000);
    let said = String::from_utf8(pod.curl("/bad", &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("unknown encoder: h266"), "{said}");
    let bad = eventually("nobody wants it any more", || {
        Some(pod.entry("streams", "bad")).filter(|bad| bad["state"] == "Idle")
    });
    assert_eq!((&bad["lastExit"]["code"], &bad["pid"]), (&json!(8), &Value::Null), "{bad}");
    pod.logged("unknown encoder: h266");
    neighbour.flows(10_000);
    of_stream.gone();
}

#[test]
fn a_stream_says_what_ails_its_feed() {
    let (of_feed, of_stream) = (Mark::default(), Mark::default());
    let bad = with_command("bad", &json!({"command": of_stream.shell("exec cat")}));
    let pod = Pod::start(&(feed("good", &of_feed.shell("echo 'no signal' >&2; exit 1")) + &bad));
    let said = String::from_utf8(pod.curl("/bad", &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("no signal"), "{said}");
}

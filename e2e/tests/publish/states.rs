//! What a feed does while publishers come and go.

use std::{io::Write as _, net::TcpStream};

use millrace_e2e::{Pod, Watcher, eventually, read_from};
use serde_json::json;

use crate::{
    senders::{Sender, clip, door, linked},
    support::camera,
};

#[test]
fn viewers_stay_and_go_on_with_the_next_publisher() {
    let folder = tempfile::tempdir().unwrap();
    let (file, bytes) = clip(folder.path());
    let pod = Pod::start(&door(&json!({}), &json!({})));
    pod.feed_is("door", "Idle");
    let mut first = linked(&pod, &format!("cat {}", file.display()), "");
    assert_eq!(first.end(), (true, String::new()), "nobody has to watch");
    pod.feed_is("door", "Idle");
    let viewer = Watcher::new(pod.viewer("/door.ts"));
    pod.feed_is("door", "Silent");
    for round in 1..4_u64 {
        assert_eq!(linked(&pod, &format!("cat {}", file.display()), "").end(), (true, String::new()));
        eventually("it came", || (viewer.body().len() as u64 >= round * bytes.len() as u64).then_some(()));
        let feed = pod.feed_is("door", "Silent");
        assert!(feed["lastExit"]["reason"].as_str().unwrap().contains("left: ended"), "{feed}");
    }
    let sender = Sender::camera(&pod, "red", "");
    viewer.flows(50_000);
    pod.feed_is("door", "Running");
    drop(sender);
    pod.feed_is("door", "Silent");
    assert!(!viewer.ended());
    drop(viewer);
    pod.feed_is("door", "Idle");
}

#[test]
fn who_is_silent_for_too_long_makes_room_for_others_and_the_fallback_takes_over() {
    let spec = json!({"silence": "2s", "fallback": ["slate"]});
    let pod = Pod::start(&(door(&json!({}), &spec) + &camera("slate", "OnDemand")));
    let viewer = Watcher::new(pod.viewer("/door.ts"));
    // Nobody has come yet.
    viewer.flows(30_000);
    assert_eq!(pod.entry("feeds", "door")["fallback"], "slate");
    let sender = Sender::camera(&pod, "red", "");
    eventually("the publisher is back", || pod.entry("feeds", "door")["fallback"].is_null().then_some(()));
    viewer.flows(30_000);
    drop(sender);
    eventually("the fallback is back", || (pod.entry("feeds", "door")["fallback"] == "slate").then_some(()));

    let mut silent = TcpStream::connect(pod.address()).unwrap();
    silent.write_all(b"PUT /live/door HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    pod.logged("http/1.1");
    let (head, body) = read_from(&mut silent, 10);
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(String::from_utf8_lossy(&body).contains("Nothing came for 2 s."));
    viewer.flows(30_000);
    let _next = Sender::camera(&pod, "blue", "");
    eventually("another one may", || pod.entry("feeds", "door")["fallback"].is_null().then_some(()));
    viewer.flows(30_000);
}

#[test]
fn a_feed_that_becomes_another_one_lets_its_publisher_go_and_one_that_is_only_named_anew_does_not() {
    let pod = Pod::start(&door(&json!({}), &json!({})));
    let mut sender = Sender::camera(&pod, "red", "");
    pod.feed_is("door", "Running");
    pod.edit(&door(&json!({}), &json!({"silence": "20s"})));
    pod.logged("configuration");
    let viewer = Watcher::new(pod.viewer("/door.ts"));
    viewer.flows(50_000);
    assert!(sender.sends());
    pod.edit(&door(&json!({"path": "/live/other"}), &json!({})));
    let (_, said) = sender.end();
    assert!(said.contains("begin anew") && said.contains("503"), "{said}");
    let (_, said) = Sender::camera(&pod, "red", "").end();
    assert!(said.contains("404"), "{said}");
    assert!(!viewer.ended());
}

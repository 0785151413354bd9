//! One server pod.

use std::process::Command;

use millrace_e2e::{Pod, Watcher, eventually, live, tracks};
use serde_json::json;

use crate::senders::{Sender, clip, door, linked, login, until_end};

/// What a viewer who waited has after a publisher has come and gone.
fn got(pod: &Pod, viewer: &Watcher, wanted: &[u8], how: &str) {
    eventually(&format!("{how}: {} bytes came", wanted.len()), || {
        (viewer.body().len() >= wanted.len()).then_some(())
    });
    assert!(viewer.body() == wanted, "{how}: what is sent is what comes");
    pod.logged("publisher left");
}

#[test]
fn what_is_sent_is_what_a_viewer_who_waited_gets_whichever_way_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let (file, bytes) = clip(folder.path());
    let file = file.display();
    let ways = [
        ("in chunks", format!("cat {file} | curl -sS -w %{{http_code}} -T - URL")),
        ("of a length that is said", format!("curl -sS -w %{{http_code}} -T {file} URL")),
        ("by POST", format!("curl -sS -w %{{http_code}} --data-binary @{file} URL")),
        ("over HTTP/2", format!("cat {file} | curl -sS -w %{{http_code}} --http2-prior-knowledge -T - URL")),
    ];
    for (how, script) in ways {
        let pod = Pod::start(&door(&json!({}), &json!({})));
        let viewer = Watcher::new(pod.viewer("/door.ts"));
        pod.feed_is("door", "Silent");
        let mut sender = Sender::shell(&script.replace("URL", &pod.url("/live/door")));
        assert_eq!(sender.end(), (true, "204".to_owned()), "{how}");
        got(&pod, &viewer, &bytes, how);
        assert!(!viewer.ended());
    }
    for head in ["PUT /live/door HTTP/1.0", "POST /live/door HTTP/1.1\r\nHost: x\r\nConnection: close"] {
        let pod = Pod::start(&door(&json!({}), &json!({})));
        let viewer = Watcher::new(pod.viewer("/door.ts"));
        pod.feed_is("door", "Silent");
        assert!(until_end(&pod, head, &bytes).starts_with("HTTP/1.1 204 "), "{head}");
        got(&pod, &viewer, &bytes, head);
    }
    let pod = Pod::start(&door(&json!({}), &json!({})));
    let viewer = Watcher::new(pod.viewer("/door.ts"));
    pod.feed_is("door", "Silent");
    assert_eq!(linked(&pod, &format!("cat {file}"), "").end(), (true, String::new()));
    got(&pod, &viewer, &bytes, "over a link");
}

#[test]
fn ffmpeg_publishes_and_ffprobe_and_a_client_of_the_link_watch() {
    let pod = Pod::start(&door(&json!({"protocols": ["Http"]}), &json!({})));
    let mut argv = live(millrace_e2e::PATTERN, 10, "-c:a aac");
    argv.pop();
    let _sender = Sender::start(Command::new(&argv[0]).args(&argv[1..]).args([
        "-method",
        "PUT",
        &pod.url("/live/door"),
    ]));
    assert_eq!(tracks(&pod.url("/door.ts?keyframe")), ["video h264", "audio aac"]);
    pod.feed_is("door", "Running");
    let player = format!(
        "{} play millrace://{}/door.ts | head -c 40000 | wc -c",
        millrace_e2e::binary().display(),
        pod.address()
    );
    assert_eq!(Sender::shell(&player).end().1.lines().next(), Some("40000"));
    let shown = pod.entry("feeds", "door");
    assert_eq!(shown["source"]["description"], "publish at /live/door: somebody sends by http/1.1");
    assert_eq!(pod.metric("millrace_feed_publishers{feed=\"door\"}"), 1);
    assert!(pod.logged("publisher joined").contains("Lavf"), "its name is logged");
}

#[test]
fn one_may_publish_and_a_second_is_told_so_and_changes_nothing() {
    let pod = Pod::start(&door(&json!({}), &json!({})));
    let mut first = Sender::camera(&pod, "red", "");
    pod.feed_is("door", "Running");
    let viewer = Watcher::new(pod.viewer("/door.ts"));
    let (_, said) = Sender::camera(&pod, "blue", "").end();
    assert!(said.contains("Somebody publishes at /live/door already") && said.contains("409"), "{said}");
    let (good, said) = linked(&pod, "echo hello", "").end();
    assert!(!good && said.contains("already") && said.contains("ALREADY_OPENED"), "{said}");
    assert_eq!(pod.metric("millrace_feed_publishers_refused_total{feed=\"door\"}"), 2);
    viewer.flows(50_000);
    assert!(first.sends());
    drop(first);
    pod.feed_is("door", "Silent");
    let _third = linked(&pod, "cat /dev/zero", "");
    pod.feed_is("door", "Running");
}

#[test]
fn only_who_knows_the_password_publishes() {
    let locked = json!({"access": {"basic": {"secretRef": {"name": "login"}}}});
    let of_stream = door(&json!({}), &json!({})).replace(
        r#""path":"/door.ts""#,
        r#""path":"/door.ts","access":{"publish":{"basic":{"secretRef":{"name":"login"}}}}"#,
    );
    for yaml in [door(&locked, &json!({})), of_stream] {
        let pod = Pod::start(&(login() + &yaml));
        let put = |login: &str| {
            Sender::shell(&format!(
                "echo hello | curl -sS -o /dev/null -w %{{http_code}} {login} -T - {}",
                pod.url("/live/door")
            ))
            .end()
        };
        assert_eq!(put(""), (true, "401".to_owned()));
        assert_eq!(put("-u ann:wrong"), (true, "401".to_owned()));
        assert_eq!(put("-u ann:secret"), (true, "204".to_owned()));
        for wrong in ["", "ann:wrong@"] {
            let (good, said) = linked(&pod, "echo hello", wrong).end();
            assert!(!good && said.contains("a name and a password are needed"), "{said}");
        }
        assert_eq!(linked(&pod, "echo hello", "ann:secret@").end(), (true, String::new()));
        assert_eq!(pod.metric("millrace_feed_publishers_total{feed=\"door\"}"), 2);
        // ffmpeg asks before it sends, and then shows the password.
        let with_login = pod.url("/live/door").replace("http://", "http://ann:secret@");
        let mut argv = live(millrace_e2e::PATTERN, 10, "-c:a aac");
        argv.pop();
        let _sender =
            Sender::start(Command::new(&argv[0]).args(&argv[1..]).args(["-method", "PUT", &with_login]));
        pod.feed_is("door", "Running");
    }
}

#[test]
fn what_is_not_published_by_http_is_refused_with_the_reason_and_said_at_the_start() {
    let pod = Pod::start(&door(&json!({"protocols": ["Rtmp", "Srt"]}), &json!({})));
    let (_, said) =
        Sender::shell(&format!("echo hello | curl -sS -w %{{http_code}} -T - {}", pod.url("/live/door")))
            .end();
    assert!(said.contains("its protocols are Rtmp, Srt.") && said.ends_with("403"), "{said}");
    let (good, said) = linked(&pod, "echo hello", "").end();
    assert!(!good && said.contains("its protocols are Rtmp, Srt."), "{said}");
    pod.logged("Rtmp is not listened for yet");
    pod.logged("Srt is not listened for yet");
    assert!(!pod.log().iter().any(|line| line.contains("Http is not listened")));
    let (_, said) =
        Sender::shell(&format!("echo hello | curl -sS -w %{{http_code}} -T - {}", pod.url("/nowhere"))).end();
    assert!(said.ends_with("405") || said.ends_with("404"), "{said}");
    let (_, said) =
        Sender::shell(&format!("echo hello | curl -sS -w %{{http_code}} -T - {}", pod.url("/door.ts"))).end();
    assert!(said.ends_with("405"), "a stream is no place to publish to: {said}");
}

//! `examples/quickstart.yaml` as it is: what the README promises a stranger.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::fs;

use millrace_e2e::{Browser, Pod, eventually, repository, run, tracks};

fn quickstart() -> Pod {
    let clip = run(repository("scripts/clip"), &[], 120);
    assert_eq!(clip.code, Some(0), "{}", clip.err);
    Pod::start(&fs::read_to_string(repository("examples/quickstart.yaml")).unwrap())
}

#[test]
fn every_path_is_decoded_with_the_codecs_that_it_promises() {
    let pod = quickstart();
    for (path, content_type, expected) in [
        ("/test.ts", "video/mp2t", &["video h264", "audio aac"][..]),
        ("/test.mp4", "video/mp4", &["video h264", "audio aac"]),
        ("/test.mkv", "video/x-matroska", &["video h264", "audio opus"]),
        ("/test.flv", "video/x-flv", &["video h264", "audio aac"]),
        ("/test.mjpeg", "multipart/x-mixed-replace", &["video mjpeg"]),
        ("/radio.ogg", "audio/ogg", &["audio opus"]),
        ("/file.ts", "video/mp2t", &["video h264", "audio aac"]),
    ] {
        let url = pod.url(&format!("{path}?keyframe"));
        assert_eq!(tracks(&url), expected, "{path}");
        // Two seconds of it, into nothing: whatever is wrong is said.
        let said = run(
            "ffmpeg",
            &["-v", "error", "-nostdin", "-xerror", "-i", &url, "-t", "2", "-f", "null", "-"],
            60,
        );
        assert!(said.code == Some(0) && said.err.is_empty(), "{path}: {:?} {}", said.code, said.err);
        let head = String::from_utf8(pod.curl(path, &["-I"]).stdout).unwrap().to_lowercase();
        assert!(head.contains(&format!("content-type: {content_type}")), "{path}: {head}");
    }
    // What nobody watches any more ends: the feed `test` after its ten seconds.
    pod.feed_is("clip", "Idle");
    pod.feed_is("test", "Idle");
}

#[test]
fn a_browser_shows_the_pictures_and_plays_video_and_sound() {
    let pod = quickstart();
    let html = format!(
        "<img id=i src='{}' crossorigin=anonymous><video id=v src='{}' autoplay muted></video>\
         <audio id=a src='{}' autoplay></audio><canvas id=c width=48 height=27></canvas><script>\
         const [i, v, a, c] = ['i', 'v', 'a', 'c'].map(id => document.getElementById(id));\
         const seen = new Set();\
         setInterval(() => {{\
           if (i.naturalWidth) {{\
             const g = c.getContext('2d', {{willReadFrequently: true}});\
             g.drawImage(i, 0, 0, 48, 27);\
             seen.add(g.getImageData(0, 0, 48, 27).data.join());\
           }}\
           tell([i.naturalWidth, seen.size, v.videoWidth, v.currentTime, v.error?.message, \
                 a.currentTime, a.error?.message].join())\
         }}, 250)</script>",
        pod.url("/test.mjpeg"),
        pod.url("/test.mp4"),
        pod.url("/radio.ogg"),
    );
    let mut browser = Browser::open(&html);
    browser.tells("pictures change, video and sound play on for two seconds", |line| {
        let number = |n: usize| line.split(',').nth(n)?.parse::<f64>().ok();
        let plays = number(0)? > 400.0 && number(1)? > 5.0 && number(2)? > 600.0;
        (plays && number(3)? > 2.0 && number(5)? > 2.0).then_some(())
    });
    let viewers = pod.stat()["totals"]["viewers"].as_u64();
    assert!(viewers >= Some(3), "{viewers:?}");
    drop(browser);
    eventually("the browser's connections are gone", || (pod.stat()["totals"]["viewers"] == 0).then_some(()));
}

#[test]
fn it_says_what_is_served_and_where() {
    let pod = quickstart();
    for path in ["/test.ts", "/test.mp4", "/test.mkv", "/test.flv", "/test.mjpeg", "/radio.ogg", "/file.ts"] {
        pod.logged(&format!("serving {}", pod.url(path)));
    }
    pod.logged(&format!("status page {}", pod.url("/stat")));
    let picture = pod.curl("/test.ts/pic", &[]).stdout;
    assert!(picture.starts_with(&[0xff, 0xd8, 0xff]), "no JPEG: {} bytes", picture.len());
}

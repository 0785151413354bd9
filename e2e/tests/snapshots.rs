//! `PATH/pic`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Barrier,
    thread,
};

use millrace_e2e::{Pod, brightness, eventually, feed, grey, live, read_from, remux, run, stream, words};
use serde_json::json;

const BARS: &str = "testsrc2=size=320x240:rate=10,loop=loop=-1:size=1:start=0,setpts=N/10/TB,realtime";

/// One picture, again and again.
fn still() -> String {
    feed("still", &live(BARS, 10, "")) + &stream("still", &json!({"path": "/a/still.ts", "feeds": ["still"]}))
}

fn picture(pod: &Pod, path: &str, arguments: &[&str]) -> (String, Vec<u8>) {
    let mut out = pod.curl(path, &[&["-i"], arguments].concat()).stdout;
    let at =
        out.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("{path}: no answer"))
            + 4;
    let body = out.split_off(at);
    (String::from_utf8(out).unwrap().to_lowercase(), body)
}

fn saved(pod: &Pod, name: &str, bytes: &[u8]) -> PathBuf {
    let file = pod.directory().join(name);
    fs::write(&file, bytes).unwrap();
    file
}

/// The sum of the first quantisation table of a JPEG: the finer, the less.
fn coarseness(jpeg: &[u8]) -> u32 {
    let at = jpeg.windows(2).position(|two| two == [0xff, 0xdb]).expect("a quantisation table") + 5;
    jpeg[at..at + 64].iter().map(|step| u32::from(*step)).sum()
}

/// What ITU-T T.81's example table for brightness amounts to at a quality, by the usual scaling.
fn expected_coarseness(quality: u32) -> u32 {
    let table: [u32; 64] = [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14,
        17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49,
        64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ];
    let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    table.iter().map(|step| ((step * scale + 50) / 100).clamp(1, 255)).sum()
}

/// Mean and greatest difference of two pictures, of 32 by 24 fields.
fn difference(one: &Path, other: &Path) -> (f64, u8) {
    let (one, other) = (grey(one, 32, 24), grey(other, 32, 24));
    let each: Vec<u8> = one.iter().zip(&other).map(|(a, b)| a.abs_diff(*b)).collect();
    (each.iter().map(|d| f64::from(*d)).sum::<f64>() / each.len() as f64, each.into_iter().max().unwrap())
}

/// The picture that a live filter shows, without any of our work in between.
fn original(directory: &Path, filter: &str) -> PathBuf {
    let file = directory.join("original.png");
    let source = filter.split(",realtime").next().unwrap();
    let argv = ["-v", "error", "-y", "-f", "lavfi", "-i", source, "-frames:v", "1", "-pix_fmt", "rgb24"];
    let said = run("ffmpeg", &[&argv[..], &[file.to_str().unwrap()]].concat(), 60);
    assert_eq!(said.code, Some(0), "{}", said.err);
    file
}

#[test]
fn the_default_is_a_jpeg_of_quality_85_and_the_request_decides_otherwise() {
    let pod = Pod::start(&still());
    let (head, standard) = picture(&pod, "/a/still.ts/pic", &[]);
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: image/jpeg"), "{head}");
    assert!(
        head.contains("millrace-picture-age: ") && head.contains("cache-control: public, max-age=1"),
        "{head}"
    );
    assert_eq!(coarseness(&standard), expected_coarseness(85));
    for quality in [20, 50, 95] {
        let (_, jpeg) = picture(&pod, &format!("/a/still.ts/pic?quality={quality}"), &[]);
        assert_eq!(coarseness(&jpeg), expected_coarseness(quality), "{quality}");
        assert_eq!(jpeg.len() > standard.len(), quality > 85, "{quality}: {}", jpeg.len());
    }
    for (path, accept, png) in [
        ("/a/still.ts/pic?format=png", "*/*", true),
        ("/a/still.ts/pic", "image/png", true),
        ("/a/still.ts/pic", "image/png;q=0.4, image/jpeg;q=0.5", false),
        ("/a/still.ts/pic?format=jpg", "image/png", false),
        ("/a/still.ts/pic", "image/avif,image/webp,*/*;q=0.8", false),
    ] {
        let (head, bytes) = picture(&pod, path, &["-H", &format!("Accept: {accept}")]);
        let kind = if png { "image/png" } else { "image/jpeg" };
        assert!(head.contains(&format!("content-type: {kind}")), "{path} {accept}: {head}");
        assert_eq!(bytes.starts_with(b"\x89PNG\r\n"), png);
        let original = original(pod.directory(), BARS);
        let (mean, most) = difference(&saved(&pod, "picture", &bytes), &original);
        assert!(mean < 4.0 && most < 40, "{path}: {mean} {most}");
    }
    let (head, body) = picture(&pod, "/a/still.ts/pic", &["--head"]);
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: image/jpeg") && body.is_empty());
}

#[test]
fn wrong_values_are_answered_400_and_what_is_not_there_404() {
    let pod = Pod::start(
        &(still()
            + &stream(
                "off",
                &json!({
                    "path": "/off.ts", "feeds": ["still"], "snapshot": {"enabled": false}
                }),
            )),
    );
    for quality in ["0", "101", "abc", "-1", ""] {
        let (head, body) = picture(&pod, &format!("/a/still.ts/pic?quality={quality}"), &[]);
        let body = String::from_utf8(body).unwrap();
        assert!(head.starts_with("http/1.1 400") && body.contains("1 to 100"), "{quality}: {head}{body}");
    }
    let (head, body) = picture(&pod, "/a/still.ts/pic?format=gif", &[]);
    assert!(head.starts_with("http/1.1 400"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("png"));
    for path in
        ["/nothing/pic", "/pic", "/a/still.ts/pic/pic", "/a/still.ts/picture", "/a/pic", "/off.ts/pic"]
    {
        assert_eq!(pod.status(path), 404, "{path}");
    }
    assert_eq!(pod.entry("feeds", "still")["bytesIn"], 0, "none of them started anything");
}

#[test]
fn sound_alone_is_answered_415() {
    let tone = words(
        "ffmpeg -nostdin -loglevel error -re -f lavfi -i sine -c:a aac -f adts -flush_packets 1 {output}",
    );
    let yaml = feed("tone", &tone)
        + &stream("aac", &json!({"path": "/tone.aac", "feeds": ["tone"]}))
        + &stream(
            "ts",
            &json!({"path": "/tone.ts", "command": words(
            "ffmpeg -nostdin -loglevel error -re -f lavfi -i sine -c:a mp2 -f mpegts -flush_packets 1 {output}")}),
        )
        + &stream(
            "ogg",
            &json!({"path": "/tone.ogg", "command": words(
            "ffmpeg -nostdin -loglevel error -re -f lavfi -i sine -c:a libopus -f ogg -flush_packets 1 {output}")}),
        );
    let pod = Pod::start(&yaml);
    for path in ["/tone.aac/pic", "/tone.ts/pic", "/tone.ogg/pic"] {
        let (head, body) = picture(&pod, path, &[]);
        assert!(head.starts_with("http/1.1 415"), "{path}: {head} {}", String::from_utf8_lossy(&body));
    }
    eventually("they end", || (pod.entry("streams", "ts")["state"] == "Idle").then_some(()));
}

#[test]
fn now_is_newer_than_the_newest_random_access_point() {
    // Each picture is two steps brighter than the one before; a random access point every ten seconds.
    let ramp = "color=c=black:size=64x48:rate=10,format=gray,geq=lum='40+mod(N,100)*2',format=yuv420p";
    let yaml =
        feed("ramp", &live(ramp, 100, "")) + &stream("ramp", &json!({"path": "/ramp.ts", "feeds": ["ramp"]}));
    let pod = Pod::start(&yaml);
    let mut viewer = pod.viewer("/ramp.ts");
    assert!(read_from(&mut viewer, 1).0.starts_with("HTTP/1.1 200"));
    let age = |head: &str| -> f64 {
        head.split_once("millrace-picture-age: ").unwrap().1.lines().next().unwrap().trim().parse().unwrap()
    };
    let (head, old) = eventually("a random access point is some seconds old", || {
        Some(picture(&pod, "/ramp.ts/pic?format=png", &[]))
            .filter(|(head, _)| (3.0..7.0).contains(&age(head)))
    });
    let (newer, now) = picture(&pod, "/ramp.ts/pic?now&format=png", &[]);
    let (old, now) = (brightness(&saved(&pod, "old", &old)), brightness(&saved(&pod, "now", &now)));
    // Twenty steps a second, stretched from 16…235 to 0…255 by the conversion.
    let seconds = (f64::from(now) - f64::from(old)) / 20.0 / (255.0 / 219.0);
    assert!(seconds > age(&head) - 0.7 && seconds < age(&head) + 3.0, "{old} {now}: {seconds} s; {head}");
    assert!(age(&newer) < age(&head), "{newer}");
    drop(viewer);
}

#[test]
fn one_decode_is_enough_for_fifty_who_ask_at_once() {
    let pod = Pod::start(
        &(feed("still", &live(BARS, 300, ""))
            + &stream("still", &json!({"path": "/still.ts", "feeds": ["still"]}))),
    );
    let mut viewer = pod.viewer("/still.ts");
    read_from(&mut viewer, 20_000);
    let decoded = || {
        let metrics = String::from_utf8(pod.curl("/metrics", &[]).stdout).unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix("millrace_snapshots_decoded_total "));
        line.unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(decoded(), 0);
    let (gate, pod) = (Barrier::new(50), &pod);
    thread::scope(|scope| {
        let asks = |n: usize| {
            let gate = &gate;
            scope.spawn(move || {
                gate.wait();
                let path = ["/still.ts/pic", "/still.ts/pic?format=png", "/still.ts/pic?quality=30"][n % 3];
                let mut socket = pod.viewer(path);
                let (head, bytes) = read_from(&mut socket, 3000);
                assert!(head.starts_with("HTTP/1.1 200") && bytes.len() >= 3000, "{head}");
            })
        };
        (0..50).map(asks).collect::<Vec<_>>().into_iter().for_each(|asked| asked.join().unwrap());
    });
    assert_eq!(decoded(), 1, "one random access point, one decode");
}

#[test]
fn a_picture_is_never_cut_short() {
    // Large key frames that take long to come, and nothing but key frames and a little between.
    let noisy = "testsrc2=size=640x360:rate=5,noise=alls=60:all_seed=7,loop=loop=-1:size=1:start=0,setpts=N/5/TB,realtime";
    let all =
        [("ts", "-f mpegts"), ("mkv", "-f matroska -flush_packets 1"), ("flv", "-f flv -flush_packets 1")];
    let made = all.map(|(name, to)| {
        let command = remux(&format!("-c copy {to}"));
        stream(name, &json!({"path": format!("/x.{name}"), "feeds": ["noisy"], "command": command}))
    });
    let mjpeg = stream(
        "mjpeg",
        &json!({
            "path": "/x.mjpeg", "feeds": ["noisy"], "command": remux("-c:v mjpeg -q:v 3 -f mpjpeg -flush_packets 1")
        }),
    );
    let passed = stream("passed", &json!({"path": "/x.passed", "feeds": ["noisy"]}));
    let yaml = feed("noisy", &live(noisy, 5, "-qp 20")) + &passed + &mjpeg + &made.concat();
    let pod = Pod::start(&yaml);
    let original = original(pod.directory(), noisy);
    for name in ["passed", "ts", "mkv", "flv", "mjpeg"] {
        let _runs = pod.viewer(&format!("/x.{name}"));
        for n in 0..6 {
            let query = if n % 2 == 0 { "" } else { "?now" };
            let (head, bytes) = picture(&pod, &format!("/x.{name}/pic{query}"), &[]);
            assert!(
                head.starts_with("http/1.1 200"),
                "{name}{query}: {head} {}",
                String::from_utf8_lossy(&bytes)
            );
            let (mean, most) = difference(&saved(&pod, "picture", &bytes), &original);
            assert!(mean < 4.0 && most < 40, "{name}{query}, picture {n}: {mean} {most}");
        }
    }
}

#[test]
fn a_stream_that_rests_is_started_for_it_and_rests_again() {
    let pod = Pod::start(&still());
    assert_eq!(pod.entry("feeds", "still")["state"], "Idle");
    let (head, bytes) = picture(&pod, "/a/still.ts/pic", &[]);
    assert!(head.starts_with("http/1.1 200") && bytes.starts_with(&[0xff, 0xd8]), "{head}");
    pod.feed_is("still", "Idle");
    assert_eq!(pod.stat()["totals"]["viewers"], 0);
}

//! Feeds that take over while another one gives nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    fs,
    io::{BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
};

use millrace_e2e::{Pod, eventually, resource, script, stream};
use serde_json::json;

/// A viewer that decodes, and says how bright each picture is.
struct Eye {
    ffmpeg: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Eye {
    fn on(url: &str) -> Self {
        let mut ffmpeg = Command::new("ffmpeg")
            .args([
                "-nostdin",
                "-v",
                "quiet",
                "-fflags",
                "nobuffer",
                "-flags",
                "low_delay",
                "-probesize",
                "100k",
            ])
            .args(["-i", url, "-an", "-vsync", "passthrough", "-copyts", "-vf", "scale=1:1"])
            .args(["-pix_fmt", "gray", "-flush_packets", "1", "-f", "rawvideo", "-"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::with_capacity(1, ffmpeg.stdout.take().unwrap());
        Self { ffmpeg, out }
    }

    /// Looks until it sees this brightness. The connection must live that long.
    fn sees(&mut self, what: &str, brightness: std::ops::RangeInclusive<u8>) {
        let mut seen = Vec::new();
        for _ in 0..600 {
            let mut one = [0];
            self.out.read_exact(&mut one).unwrap_or_else(|e| panic!("{what}: {e}, after {seen:?}"));
            if brightness.contains(&one[0]) {
                return;
            }
            if seen.last() != Some(&one[0]) {
                seen.push(one[0]);
            }
        }
        panic!("{what} was not seen: {seen:?}");
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        // Passed on to ffmpeg.
        let _ = Command::new("kill").arg(self.ffmpeg.id().to_string()).status();
        let _ = self.ffmpeg.wait();
    }
}

const WHITE: std::ops::RangeInclusive<u8> = 200..=255;
const GREY: std::ops::RangeInclusive<u8> = 100..=160;
const BLACK: std::ops::RangeInclusive<u8> = 0..=40;

/// A feed of one colour that cannot be had while a file `NAME.down` is there.
fn colour(directory: &Path, name: &str, colour: &str) -> String {
    let text = format!(
        "[ -e {}/{name}.down ] && exit 1\nexec ffmpeg -nostdin -loglevel error -re -f lavfi \
         -i color=c={colour}:size=64x48:rate=10 -c:v libx264 -preset ultrafast -tune zerolatency -g 5 -f mpegts \
         -muxdelay 0 -flush_packets 1 pipe:1",
        directory.display()
    );
    script(directory, name, &text)
}

fn down(directory: &Path, name: &str, pod: &Pod) {
    fs::write(directory.join(format!("{name}.down")), "").unwrap();
    if let Some(pid) = pod.entry("feeds", name)["pid"].as_u64() {
        Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    }
}

fn up(directory: &Path, name: &str) {
    fs::remove_file(directory.join(format!("{name}.down"))).unwrap();
}

fn three(directory: &Path) -> String {
    let feed = |name: &str, shade: &str, fallback: &[&str]| {
        let source = json!({"command": [colour(directory, name, shade)]});
        resource("Feed", name, &json!({"source": source, "silence": "2s", "fallback": fallback}))
    };
    feed("white", "white", &["grey", "black"])
        + &feed("grey", "gray", &[])
        + &feed("black", "black", &[])
        + &stream("stage", &json!({"path": "/stage.ts", "feeds": ["white"]}))
}

#[test]
fn viewers_stay_connected_over_the_death_of_a_feed_and_its_return() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let pod = Pod::start(&three(directory));
    let mut eye = Eye::on(&pod.url("/stage.ts?keyframe"));
    eye.sees("the feed itself", WHITE);
    assert_eq!(pod.entry("feeds", "grey")["state"], "Idle", "a fallback runs only when it is needed");
    down(directory, "white", &pod);
    eye.sees("the first fallback", GREY);
    assert_eq!(pod.entry("feeds", "white")["fallback"], "grey");
    // The first one fails, too: the next in order takes over.
    down(directory, "grey", &pod);
    eye.sees("the second fallback", BLACK);
    assert_eq!(pod.entry("feeds", "white")["fallback"], "black");
    up(directory, "white");
    eye.sees("the feed is back", WHITE);
    let entry = pod.entry("feeds", "white");
    assert!(entry["fallback"].is_null() && entry["state"] == "Running", "{entry}");
    for name in ["grey", "black"] {
        eventually("fallbacks are let go", || (pod.entry("feeds", name)["state"] == "Idle").then_some(()));
    }
    // The order begins anew.
    up(directory, "grey");
    down(directory, "white", &pod);
    eye.sees("the first fallback again", GREY);
    assert_eq!(
        pod.log().iter().filter(|line| line.contains("viewer joined")).count(),
        1,
        "it never came anew"
    );
}

#[test]
fn a_feed_that_cannot_be_had_from_the_start_is_replaced_at_once_and_taken_when_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for name in ["white", "grey"] {
        fs::write(directory.join(format!("{name}.down")), "").unwrap();
    }
    let pod = Pod::start(&three(directory));
    let mut eye = Eye::on(&pod.url("/stage.ts?keyframe"));
    eye.sees("the second fallback", BLACK);
    up(directory, "white");
    eye.sees("the feed", WHITE);
}

#[test]
fn a_feed_that_is_alive_but_silent_is_replaced_too() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let pod = Pod::start(&three(directory));
    let mut eye = Eye::on(&pod.url("/stage.ts?keyframe"));
    eye.sees("the feed itself", WHITE);
    let pid = pod.entry("feeds", "white")["pid"].as_u64().unwrap().to_string();
    fs::write(directory.join("white.down"), "").unwrap();
    Command::new("kill").args(["-STOP", &pid]).status().unwrap();
    eye.sees("the fallback", GREY);
    up(directory, "white");
    // After two seconds of silence it is ended and started again.
    eye.sees("the feed again", WHITE);
    pod.logged("gave nothing for 2 s");
}

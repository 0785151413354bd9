//! Files and named pipes that come and go, or are not what they should be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    process::Command,
};

use millrace_e2e::{Pod, Watcher, children_of, decode, eventually, merged, packets, resource, run, stream};
use serde_json::{Value, json};

fn file_feed(name: &str, file: &Value, more: &Value) -> String {
    let spec = merged(json!({"source": {"file": file}}), more);
    resource("Feed", name, &spec) + &stream(name, &json!({"path": format!("/{name}.ts"), "feeds": [name]}))
}

/// Two seconds of a test pattern.
fn clip(path: &Path) {
    let filter = "testsrc=size=160x120:rate=10:duration=2";
    let file = path.display().to_string();
    let made = run(
        "ffmpeg",
        &["-v", "error", "-f", "lavfi", "-i", filter, "-c:v", "mpeg2video", "-g", "5", &file],
        60,
    );
    assert_eq!(made.code, Some(0), "{}", made.err);
}

fn refused(pod: &Pod, path: &str, why: &str) {
    let said = String::from_utf8(pod.curl(path, &["-i"]).stdout).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains(why), "{said}");
}

#[test]
fn a_pipe_whose_writer_comes_and_goes_keeps_its_viewers() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, media) = (folder.path().join("pipe"), folder.path().join("clip.ts"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    clip(&media);
    let bytes = fs::read(&media).unwrap();
    let pod = Pod::start(&file_feed("pipe", &json!({"path": pipe}), &json!({"activation": "Continuous"})));
    let viewer = Watcher::new(pod.viewer("/pipe.ts"));
    eventually("the viewer is there", || (pod.entry("streams", "pipe")["viewers"] == 1).then_some(()));
    let restarts = || pod.entry("feeds", "pipe")["restarts"].as_u64().unwrap();
    for writer in 0..4_u64 {
        let mut to = OpenOptions::new().write(true).open(&pipe).unwrap();
        // The second one is cut off in the middle of a packet, the third one says nothing at all.
        let part = match writer {
            1 => &bytes[..bytes.len() / 2 / 188 * 188 + 100],
            2 => &[],
            _ => &bytes[..],
        };
        to.write_all(part).unwrap();
        drop(to);
        eventually("the pipe is opened again", || (restarts() > writer).then_some(()));
    }
    let sent = u64::try_from(bytes.len()).unwrap() * 5 / 2 / 188 * 188;
    eventually("all came", || (viewer.received() >= sent).then_some(()));
    assert!(!viewer.ended());
    let body = viewer.body();
    assert_eq!(body.len() % 188, 0, "packets are completed");
    assert!(body.chunks(188).all(|packet| packet[0] == 0x47), "every packet is one");
    let seen = folder.path().join("seen.ts");
    fs::write(&seen, &body).unwrap();
    let pictures = packets(&seen).len();
    assert!(pictures >= 45, "{pictures} of 50");
    let said = run("ffmpeg", &["-v", "quiet", "-i", &seen.display().to_string(), "-f", "null", "-"], 60);
    assert_eq!(said.code, Some(0));
    // What comes last is whole.
    fs::write(&seen, &body[body.len() - bytes.len()..]).unwrap();
    let last = decode(&seen, 20);
    assert_eq!((last.code, last.err.as_str()), (Some(0), ""));
    let reason = pod.entry("feeds", "pipe")["lastExit"]["reason"].clone();
    assert_eq!(reason, "the writer of the named pipe closed it");
    assert!(pod.log().len() < 40, "{:#?}", pod.log());
}

#[test]
fn a_file_that_is_not_there_is_named_and_taken_once_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let media = folder.path().join("later.ts");
    let yaml = file_feed("later", &json!({"path": media, "loop": true, "paced": true}), &json!({}));
    let pod = Pod::start(&yaml);
    refused(&pod, "/later.ts", "No such file or directory");
    let entry = pod.entry("feeds", "later");
    assert!(entry["lastExit"]["reason"].as_str().unwrap().contains("later.ts"), "{entry}");
    clip(&media);
    let viewer = Watcher::new(pod.viewer("/later.ts"));
    viewer.flows(10_000);
}

#[test]
fn a_directory_is_no_feed() {
    let folder = tempfile::tempdir().unwrap();
    let pod = Pod::start(&file_feed("folder", &json!({"path": folder.path()}), &json!({})));
    refused(&pod, "/folder.ts", "is a directory, not a file or named pipe");
}

#[test]
fn a_file_that_is_no_media_is_passed_on_or_refused_but_does_not_spin() {
    let folder = tempfile::tempdir().unwrap();
    let (text, empty) = (folder.path().join("text"), folder.path().join("empty"));
    fs::write(&text, "this is no media\n".repeat(10_000)).unwrap();
    File::create(&empty).unwrap();
    let continuous = || json!({"activation": "Continuous"});
    let pod = Pod::start(
        &(file_feed("text", &json!({"path": text, "paced": true, "loop": true}), &json!({}))
            + &file_feed("once", &json!({"path": text}), &json!({}))
            + &file_feed("empty", &json!({"path": empty, "loop": true}), &continuous())),
    );
    let paced = Watcher::new(pod.viewer("/text.ts"));
    let once = Watcher::new(pod.viewer("/once.ts"));
    once.flows(150_000);
    paced.flows(1000);
    refused(&pod, "/empty.ts", "the end of the file");
    let cpu = |pod: &Pod| pod.stat()["process"]["cpuSeconds"].as_f64().unwrap();
    let (before, restarts) = (cpu(&pod), || pod.entry("feeds", "empty")["restarts"].as_u64().unwrap());
    let so_far = restarts();
    eventually("it is tried again", || (restarts() > so_far + 1).then_some(()));
    assert!(cpu(&pod) - before < 2.0, "{} CPU-seconds", cpu(&pod) - before);
    assert!(pod.log().len() < 60, "{:#?}", pod.log());
    assert!(
        children_of(pod.pid()).len() <= 2,
        "nothing but the runner of commands, and one that is ready for the next"
    );
}

#[test]
fn an_unpaced_file_goes_on_for_who_reads_beside_one_who_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let media = folder.path().join("big");
    fs::write(&media, vec![b'x'; 8 << 20]).unwrap();
    let yaml = file_feed("big", &json!({"path": media, "loop": true}), &json!({}))
        + &stream("beside", &json!({"path": "/beside", "feeds": ["big"]}));
    let pod = Pod::start(&yaml);
    let _never_reads = pod.viewer("/beside");
    eventually("the first viewer is there", || {
        (pod.entry("streams", "beside")["viewers"] == 1).then_some(())
    });
    let reads = Watcher::new(pod.viewer("/big.ts"));
    reads.flows(40 << 20);
    assert!(pod.rss() < 200 << 20, "{}", pod.rss());
}

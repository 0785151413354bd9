//! All examples: right, and those that can run alone do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{fs, path::Path, process::Command};

use millrace_e2e::{Pod, binary, decode, repository, run, tracks};

fn examples() -> Vec<String> {
    let entries = fs::read_dir(repository("examples")).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> =
        names.filter(|name| Path::new(name).extension().is_some_and(|e| e == "yaml")).collect();
    names.sort();
    names
}

fn text(name: &str) -> String {
    fs::read_to_string(repository("examples").join(name)).unwrap()
}

#[test]
fn check_says_right_of_each_and_of_what_resolve_makes_of_it() {
    let directory = tempfile::tempdir().unwrap();
    assert!(examples().len() >= 12);
    for name in examples() {
        let path = repository("examples").join(&name).display().to_string();
        let said = run(binary(), &["check", "-f", &path], 30);
        assert!(
            said.code == Some(0) && said.text().contains("right"),
            "{name}: {} {}",
            said.text(),
            said.err
        );
        assert_eq!(said.err, "", "{name}: no warnings");
        let resolved = run(binary(), &["resolve", "-f", &path], 30);
        assert_eq!(resolved.code, Some(0), "{name}: {}", resolved.err);
        let file = directory.path().join(&name);
        fs::write(&file, &resolved.out).unwrap();
        let file = file.display().to_string();
        let again = run(binary(), &["check", "-f", &file], 30);
        assert_eq!(again.code, Some(0), "{name}, resolved: {}\n{}", again.err, resolved.text());
        // What is final stays as it is.
        assert_eq!(run(binary(), &["resolve", "-f", &file], 30).text(), resolved.text(), "{name}");
    }
}

/// Serves pictures that can be decoded at each of `paths`.
fn serves(name: &str, paths: &[&str]) {
    let pod = Pod::start(&text(name));
    for path in paths {
        let (head, bytes) = pod.read(&format!("{path}?keyframe"), 60_000);
        assert!(head.starts_with("HTTP/1.1 200"), "{name} {path}: {head}");
        let file = pod.directory().join("part");
        fs::write(&file, bytes).unwrap();
        let said = decode(&file, 3);
        assert!(said.code == Some(0) && said.err.is_empty(), "{name} {path}: {}", said.err);
    }
}

#[test]
fn activation_serves() {
    serves("activation.yaml", &["/always.ts", "/lingers.ts", "/once.ts"]);
}

#[test]
fn feedless_serves() {
    serves("feedless.yaml", &["/clock.ts"]);
}

#[test]
fn templates_serve() {
    serves("templates.yaml", &["/hd.ts", "/sd.ts"]);
}

#[test]
fn sets_serve() {
    serves("sets.yaml", &["/cams/front/hd.ts", "/cams/back/small.ts"]);
}

#[test]
fn kubernetes_serves_on_one_machine_too() {
    serves("kubernetes.yaml", &["/pattern.ts", "/small.ts"]);
}

#[test]
fn cameras_that_are_not_there_are_answered_503_each_on_its_own() {
    let pod = Pod::start(&text("cameras.yaml").replace("rtsp://{each}.lan/ch1", "rtsp://127.0.0.1:9/{each}"));
    for camera in ["door", "yard", "garage"] {
        for size in ["hd", "small"] {
            assert_eq!(pod.status(&format!("/cams/{camera}/{size}.ts")), 503);
        }
        assert_eq!(pod.entry("feeds", &format!("cam-{camera}"))["source"]["kind"], "Pull");
    }
    assert!(!pod.log().join("\n").contains("change-me"));
}

#[test]
fn stream_options_serve() {
    serves("stream-options.yaml", &["/tuned.ts", "/lean.ts"]);
    let pod = Pod::start(&text("stream-options.yaml"));
    assert!(pod.curl("/tuned.ts/pic", &[]).stdout.starts_with(b"\x89PNG"));
    assert_eq!(pod.status("/lean.ts/pic"), 404);
}

#[test]
fn fallback_shows_the_slate_while_there_is_no_camera() {
    serves("fallback.yaml", &["/stage.ts"]);
}

#[test]
fn cluster_serves_its_status_page_elsewhere() {
    let pod = Pod::start(&text("cluster.yaml"));
    let statuses = ["/status", "/status.json", "/stat", "/stat.json"].map(|path| pod.status(path));
    assert_eq!(statuses, [200, 200, 404, 404]);
    serves("cluster.yaml", &["/pattern.ts"]);
}

#[test]
fn mux_has_the_picture_of_one_feed_and_the_sound_of_the_other() {
    let pod = Pod::start(&text("mux.yaml"));
    assert_eq!(tracks(&pod.url("/both.ts?keyframe")), ["video h264", "audio aac"]);
}

#[test]
fn named_pipe_serves_what_the_command_in_its_comment_writes() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe.ts").display().to_string();
    let yaml = text("named-pipe.yaml");
    let line = yaml.lines().find_map(|line| line.strip_prefix("#   ffmpeg ")).unwrap();
    assert!(line.ends_with("/tmp/millrace/pipe.ts") && yaml.contains("path: /tmp/millrace/pipe.ts}"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let argv = line.replace("/tmp/millrace/pipe.ts", &pipe);
    let mut writer =
        Command::new("ffmpeg").args(["-nostdin", "-v", "quiet"]).args(argv.split(' ')).spawn().unwrap();
    let pod = Pod::start(&yaml.replace("/tmp/millrace/pipe.ts", &pipe));
    let (_, bytes) = pod.read("/pipe.ts?keyframe", 60_000);
    writer.kill().unwrap();
    writer.wait().unwrap();
    let file = pod.directory().join("part");
    fs::write(&file, bytes).unwrap();
    let said = decode(&file, 3);
    assert!(said.code == Some(0) && said.err.is_empty(), "{}", said.err);
}

#[test]
fn a_camera_that_is_not_there_is_answered_503_and_its_password_is_shown_nowhere() {
    let yaml = text("camera.yaml").replace("rtsp://door.lan/ch1", "rtsp://127.0.0.1:9/ch1");
    let pod = Pod::start(&yaml);
    let out = pod.curl("/door.ts", &["-i"]).stdout;
    let answer = String::from_utf8_lossy(&out).into_owned();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.to_lowercase().contains("retry-after:"), "{answer}");
    assert_eq!(pod.entry("feeds", "door")["source"]["kind"], "Pull");
    let shown = [answer, pod.stat().to_string(), pod.log().join("\n")];
    assert!(!shown.iter().any(|text| text.contains("change-me")), "{shown:?}");
    let page = pod.curl("/stat", &[]).stdout;
    assert!(!String::from_utf8_lossy(&page).contains("change-me"));
}

//! Every file of `examples/` is right, says what it shows, and comes back from its final form unchanged. The
//! commands of the quickstart and the other pipelines are run with the real ffmpeg and looked at by ffprobe.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use millrace_crds::{FinalSource, Resolved, load, load_with_warnings, to_yaml};

fn files() -> BTreeMap<String, PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

fn example(name: &str) -> Resolved {
    load(name, &fs::read_to_string(&files()[name]).unwrap()).unwrap()
}

#[test]
fn every_example_is_right_and_without_a_warning() {
    let files = files();
    assert!(files.len() >= 12, "{files:?}");
    for (name, path) in files {
        let text = fs::read_to_string(path).unwrap();
        let loaded = load_with_warnings(&name, &text).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let comment: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(comment.len() >= 3, "{name} says too little of itself");
        assert!(
            comment.iter().any(|line| line.contains("127.0.0.1") || line.contains("localhost")),
            "{name}: how to watch"
        );
        let mut clusters = text.matches("kind: Cluster").count();
        clusters += text.matches("kind: ClusterRef").count();
        assert_eq!(clusters, 1, "{name} needs its Cluster to be right for Kubernetes, too");
    }
}

#[test]
fn every_example_comes_back_from_its_final_form() {
    for (name, path) in files() {
        let resolved = load(&name, &fs::read_to_string(path).unwrap()).unwrap();
        let printed = to_yaml(&resolved);
        let again = load("resolved.yaml", &printed).unwrap();
        assert_eq!(again, resolved, "{printed}");
        assert_eq!(to_yaml(&again), printed);
    }
}

#[test]
fn the_quickstart_serves_what_the_readme_promises() {
    let resolved = example("quickstart.yaml");
    let mut paths: Vec<&str> = resolved.streams.values().map(|stream| stream.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["/file.ts", "/radio.ogg", "/test.flv", "/test.mjpeg", "/test.mkv", "/test.mp4", "/test.ts"]
    );
    let http = resolved.cluster.http.unwrap();
    assert_eq!((http.address.unwrap().to_string().as_str(), http.port), ("127.0.0.1", 8080));
}

/// Ends its process, whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(argv: &[String], stdin: Stdio) -> Running {
    let mut command = Command::new(&argv[0]);
    Running(
        command
            .args(&argv[1..])
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap(),
    )
}

fn feed_argv(resolved: &Resolved, feed: &str) -> Vec<String> {
    match &resolved.feeds[feed].source {
        FinalSource::Command { argv } => argv.clone(),
        other => panic!("{feed} is no command: {other:?}"),
    }
}

/// Reads until there are this many bytes, or the end.
fn read(from: &mut impl Read, wanted: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65536];
    while bytes.len() < wanted {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
        }
    }
    bytes
}

/// The codecs that ffprobe finds.
fn codecs(bytes: &[u8]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("media");
    fs::write(&path, bytes).unwrap();
    let out = Command::new("ffprobe")
        .args(["-v", "quiet", "-show_entries", "stream=codec_name", "-of", "csv=p=0"])
        .arg(&path)
        .output()
        .unwrap();
    let mut found: Vec<String> =
        String::from_utf8(out.stdout).unwrap().split_whitespace().map(str::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// One feed into several streams at once, as the bus does it; what comes out of each.
fn through(resolved: &Resolved, feed: &str, wanted: usize) -> BTreeMap<String, Vec<u8>> {
    let mut source = start(&feed_argv(resolved, feed), Stdio::null());
    let mut running = Vec::new();
    let mut inputs = Vec::new();
    let mut outputs = Vec::new();
    for stream in resolved.streams.values().filter(|stream| stream.feeds == [feed]) {
        let Some(argv) = &stream.command else { continue };
        let mut child = start(argv, Stdio::piped());
        inputs.push(child.0.stdin.take().unwrap());
        let mut stdout = child.0.stdout.take().unwrap();
        let path = stream.path.to_string();
        outputs.push(thread::spawn(move || (path, read(&mut stdout, wanted))));
        running.push(child);
    }
    let mut stdout = source.0.stdout.take().unwrap();
    let pump = thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = stdout.read(&mut buffer) {
            inputs.retain_mut(|input| input.write_all(&buffer[..length]).is_ok());
            if inputs.is_empty() {
                break;
            }
        }
    });
    let media = outputs.into_iter().map(|output| output.join().unwrap()).collect();
    drop(running);
    drop(source);
    pump.join().unwrap();
    media
}

#[test]
fn ffmpeg_makes_of_the_quickstart_what_its_paths_say() {
    let media = through(&example("quickstart.yaml"), "test", 12_000);
    let found: BTreeMap<&str, Vec<String>> =
        media.iter().map(|(path, bytes)| (path.as_str(), codecs(bytes))).collect();
    let wanted = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        found,
        BTreeMap::from([
            ("/radio.ogg", wanted(&["opus"])),
            ("/test.flv", wanted(&["aac", "h264"])),
            ("/test.mjpeg", wanted(&["mjpeg"])),
            ("/test.mkv", wanted(&["h264", "opus"])),
            ("/test.mp4", wanted(&["aac", "h264"])),
        ])
    );
}

#[test]
fn ffmpeg_runs_the_templates_and_the_sets() {
    for (name, feed, path) in
        [("templates.yaml", "pattern", "/sd.ts"), ("sets.yaml", "cam-front", "/cams/front/small.ts")]
    {
        let media = through(&example(name), feed, 30_000);
        assert_eq!(codecs(&media[path]), ["h264"], "{name}");
    }
}

#[test]
fn ffmpeg_makes_media_of_every_command_that_needs_no_input() {
    for (name, path) in files() {
        let resolved = load(&name, &fs::read_to_string(path).unwrap()).unwrap();
        let feedless =
            resolved.streams.values().filter(|it| it.feeds.is_empty()).filter_map(|it| it.command.clone());
        let commands = resolved.feeds.values().filter_map(|feed| match &feed.source {
            FinalSource::Command { argv } if !argv.iter().any(|it| it.contains("rtsp://")) => {
                Some(argv.clone())
            }
            _ => None,
        });
        for argv in feedless.chain(commands) {
            let mut child = start(&argv, Stdio::null());
            let bytes = read(child.0.stdout.as_mut().unwrap(), 8_000);
            assert!(!codecs(&bytes).is_empty(), "{name}: {argv:?}");
        }
    }
}

#[test]
fn ffmpeg_muxes_two_feeds_from_their_descriptors() {
    let resolved = example("mux.yaml");
    let stream = &resolved.streams["both"];
    let argv = stream.command.as_ref().unwrap();
    assert_eq!((stream.input_descriptor(0), stream.input_descriptor(1)), (3, 4));
    assert!(
        argv.contains(&"pipe:3".to_owned())
            && argv.contains(&"pipe:4".to_owned())
            && argv.contains(&"pipe:1".to_owned())
    );
    // The shell gives descriptors here; the media pod gives them itself.
    let quoted = |argv: &[String]| {
        argv.iter().map(|it| format!("'{}'", it.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" ")
    };
    let script = format!(
        "exec {} 3< <({}) 4< <({})",
        quoted(argv),
        quoted(&feed_argv(&resolved, "picture")),
        quoted(&feed_argv(&resolved, "sound"))
    );
    let mut child = start(&["bash".to_owned(), "-c".to_owned(), script], Stdio::null());
    let bytes = read(child.0.stdout.as_mut().unwrap(), 60_000);
    drop(child);
    assert_eq!(codecs(&bytes), ["aac", "h264"]);
}

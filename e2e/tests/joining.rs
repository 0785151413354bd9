//! What a viewer gets first, by what it asks for: see docs/watching.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use millrace_e2e::{
    PATTERN, Packet, Pod, children_of, decode, eventually, feed, live, packets, read_from, remux, stream,
    words,
};
use serde_json::json;

const MP4: &str =
    "-c copy -bsf:a aac_adtstoasc -f mp4 -movflags frag_every_frame+empty_moov+default_base_moof+delay_moov";
const MKV: &str = "-c:v copy -c:a libopus -f matroska -cluster_time_limit 40 -flush_packets 1";
const WEBM: &str = "-c:v libvpx -deadline realtime -cpu-used 8 -g 10 -c:a libopus -f webm -cluster_time_limit 40 -flush_packets 1";
const FLV: &str = "-c copy -f flv -flvflags no_duration_filesize -flush_packets 1";
const MJPEG: &str = "-an -c:v mjpeg -f mpjpeg -flush_packets 1";
const OGG: &str = "-vn -c:a libopus -f ogg -page_duration 20000 -flush_packets 1";
const ADTS: &str = "-vn -c:a copy -f adts -flush_packets 1";
const MP3: &str = "-vn -c:a libmp3lame -f mp3 -write_xing 0 -id3v2_version 0 -flush_packets 1";

/// A pattern with a random access point every `gop` tenths of a second, in every container there is.
fn everything(gop: u32) -> String {
    let kinds = [
        ("mp4", MP4),
        ("mkv", MKV),
        ("webm", WEBM),
        ("flv", FLV),
        ("mjpeg", MJPEG),
        ("ogg", OGG),
        ("aac", ADTS),
        ("mp3", MP3),
    ];
    let made = kinds.map(|(name, to)| {
        stream(name, &json!({"path": format!("/x.{name}"), "feeds": ["pattern"], "command": remux(to)}))
    });
    let passed = stream("ts", &json!({"path": "/x.ts", "feeds": ["pattern"]}));
    feed("pattern", &live(PATTERN, gop, "-c:a aac")) + &passed + &made.concat()
}

/// Has a viewer come, and waits until the stream is well under way for it.
fn under_way(pod: &Pod, path: &str) -> std::net::TcpStream {
    let mut viewer = pod.viewer(path);
    let (head, bytes) = read_from(&mut viewer, 8000);
    assert!(head.starts_with("HTTP/1.1 200") && bytes.len() >= 8000, "{path}: {head}");
    // It goes on reading, so as not to be slow.
    let mut reads_on = viewer.try_clone().unwrap();
    thread::spawn(move || std::io::copy(&mut reads_on, &mut std::io::sink()));
    viewer
}

fn saved(pod: &Pod, name: &str, bytes: &[u8]) -> PathBuf {
    let file = pod.directory().join(name);
    fs::write(&file, bytes).unwrap();
    file
}

fn decodes(file: &Path, pictures: u32, what: &str) {
    let said = decode(file, pictures);
    assert!(said.code == Some(0) && said.err.is_empty(), "{what}: {:?} {}", said.code, said.err);
}

fn video(file: &Path) -> Vec<Packet> {
    packets(file).into_iter().filter(|packet| packet.video).collect()
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn each_container_begins_with_its_header_where_it_is_asked_for_and_where_nothing_works_without() {
    let pod = Pod::start(&everything(10));
    for name in ["ts", "mp4", "mkv", "webm", "flv", "mjpeg", "ogg", "aac", "mp3"] {
        let path = format!("/x.{name}");
        let _first = under_way(&pod, &path);
        let (head, asked) = pod.read(&format!("{path}?header"), 4000);
        assert!(head.starts_with("HTTP/1.1 200"), "{name}: {head}");
        let (_, plain) = pod.read(&path, 2000);
        let begins = |with: &[u8]| asked.starts_with(with);
        match name {
            "ts" => {
                let pid = |n: usize| u16::from_be_bytes([asked[188 * n + 1] & 0x1f, asked[188 * n + 2]]);
                assert!(begins(&[0x47]) && plain.starts_with(&[0x47]), "{name}");
                assert_eq!(pid(0), 0, "the PAT is first");
                let pmt = u16::from_be_bytes([asked[15] & 0x1f, asked[16]]);
                assert_eq!(pid(1), pmt, "and the PMT that it names second");
            }
            "mp4" => {
                for bytes in [&asked, &plain] {
                    assert_eq!(&bytes[4..8], b"ftyp");
                    let size = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
                    assert_eq!(&bytes[size + 4..size + 8], b"moov");
                }
            }
            "mkv" | "webm" => {
                assert!(begins(&[0x1a, 0x45, 0xdf, 0xa3]) && plain.starts_with(&asked[..40]), "{name}");
                // Segment information, tracks, and then a cluster.
                assert!(holds(&asked, &[0x16, 0x54, 0xae, 0x6b]) && holds(&asked, &[0x1f, 0x43, 0xb6, 0x75]));
            }
            "flv" => assert!(begins(b"FLV\x01") && plain.starts_with(b"FLV\x01")),
            "mjpeg" => assert!(begins(b"--") && plain.starts_with(b"--"), "{:?}", &asked[..20]),
            "ogg" => {
                assert!(
                    begins(b"OggS\x00\x02") && holds(&asked[..80], b"OpusHead") && holds(&asked, b"OpusTags")
                );
                assert!(plain.starts_with(b"OggS\x00") && plain[5] & 2 == 0, "from the next page on");
            }
            "aac" => assert!(begins(&[0xff]) && asked[1] & 0xf6 == 0xf0 && plain[1] & 0xf6 == 0xf0),
            _ => assert!(begins(&[0xff]) && asked[1] & 0xe6 == 0xe2 && plain[1] & 0xe6 == 0xe2),
        }
    }
}

#[test]
fn a_join_at_a_key_frame_decodes_from_the_first_picture_on() {
    let pod = Pod::start(&everything(15));
    for name in ["ts", "mp4", "mkv", "webm", "flv", "mjpeg"] {
        let path = format!("/x.{name}");
        let _first = under_way(&pod, &path);
        for (query, least) in [("keyframe", 30_000), ("keyframe=last", 40_000), ("keyframe=next", 30_000)] {
            let what = format!("{name}?{query}");
            let (head, bytes) = pod.read(&format!("{path}?{query}"), least);
            let aged = head.to_lowercase().contains("millrace-picture-age:");
            assert_eq!(aged, query != "keyframe=next", "{what}: {head}");
            let file = saved(&pod, "joined", &bytes);
            let video = video(&file);
            assert!(video.first().is_some_and(|first| first.key), "{what}: {:?}", video.first());
            decodes(&file, 3, &what);
        }
    }
    for name in ["ogg", "aac", "mp3"] {
        let path = format!("/x.{name}");
        let _first = under_way(&pod, &path);
        let began = Instant::now();
        let (head, bytes) = pod.read(&format!("{path}?keyframe"), 3000);
        assert!(head.starts_with("HTTP/1.1 200") && bytes.len() >= 3000, "sound alone: {name} {head}");
        assert!(began.elapsed() < Duration::from_secs(5), "it begins anywhere");
    }
}

#[test]
fn a_late_join_without_parameters_decodes_after_a_while() {
    let pod = Pod::start(&everything(10));
    for name in ["ts", "mp4", "mkv", "flv", "mjpeg"] {
        let path = format!("/x.{name}");
        let _first = under_way(&pod, &path);
        let file = saved(&pod, "late", &pod.read(&path, 80_000).1);
        let file = file.display().to_string();
        let frames = [
            "-v",
            "quiet",
            "-count_frames",
            "-select_streams",
            "v",
            "-show_entries",
            "stream=nb_read_frames",
        ];
        let said = millrace_e2e::run("ffprobe", &[&frames[..], &["-of", "csv=p=0", &file]].concat(), 60);
        let text = said.text();
        let frames = text.split_whitespace().find_map(|line| line.trim_end_matches(',').parse::<u32>().ok());
        assert!(frames > Some(5), "{name}: {text} {}", said.err);
    }
}

/// The first key frame of the first `seconds` of a path, and how long it took to come.
fn first_key(pod: &Pod, path: &str, seconds: u64) -> (f64, Duration, String) {
    let began = Instant::now();
    let mut viewer = pod.viewer(path);
    let (mut head, mut all) = read_from(&mut viewer, 1);
    let mut came = began.elapsed();
    let mut buffer = vec![0; 1 << 16];
    let name = format!("key{}", path.replace(['/', '?'], "_"));
    let find = |bytes: &[u8]| video(&saved(pod, &name, bytes)).into_iter().find(|packet| packet.key);
    let mut looked = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        if all.len() > looked + 8000 {
            looked = all.len();
            if let Some(key) = find(&all) {
                return (key.pts, came, std::mem::take(&mut head));
            }
            came = began.elapsed();
        }
        let n = viewer.read(&mut buffer).unwrap();
        all.extend_from_slice(&buffer[..n]);
    }
    panic!("{path}: no key frame in {} bytes", all.len());
}

#[test]
fn of_a_gop_of_ten_seconds_last_is_there_at_once_and_next_waits() {
    let noise = "testsrc2=size=320x180:rate=10,noise=alls=10:allf=t";
    let yaml = feed("long", &live(noise, 100, "-b:v 1M"))
        + &stream("normal", &json!({"path": "/normal.ts", "feeds": ["long"]}))
        + &stream("none", &json!({"path": "/none.ts", "feeds": ["long"], "gopCache": {"bytes": 0}}))
        + &stream("small", &json!({"path": "/small.ts", "feeds": ["long"], "gopCache": {"bytes": "64Ki"}}))
        + &stream("frames", &json!({"path": "/frames.ts", "feeds": ["long"], "gopCache": {"frames": 10}}));
    let pod = Pod::start(&yaml);
    let _all = ["/normal.ts", "/none.ts", "/small.ts", "/frames.ts"].map(|path| under_way(&pod, path));
    let age = || {
        let head = String::from_utf8(pod.curl("/normal.ts?keyframe", &["-I"]).stdout).unwrap().to_lowercase();
        let (_, rest) = head.split_once("millrace-picture-age: ")?;
        rest.lines().next()?.trim().parse::<f64>().ok()
    };
    // More than the small caches hold has come since the key frame, and there is time until the next.
    eventually("a GOP is under way", || age().filter(|age| (2.5..6.0).contains(age)));
    let (pod, asked) = (&pod, Instant::now());
    thread::scope(|scope| {
        let key = |path: &'static str| scope.spawn(move || first_key(pod, path, 40));
        let last = key("/normal.ts?keyframe=last");
        let paths = [
            "/normal.ts?keyframe=next",
            "/none.ts?keyframe",
            "/small.ts?keyframe=last",
            "/frames.ts?keyframe",
        ];
        let waiting = paths.map(|path| (path, key(path)));
        let (newest, came, head) = last.join().unwrap();
        assert!(came < Duration::from_secs(3), "last: {came:?}");
        assert!(head.to_lowercase().contains("millrace-picture-age: "), "{head}");
        for (path, next) in waiting {
            let (next, _, head) = next.join().unwrap();
            let later = next - newest;
            assert!((later - 10.0).abs() < 0.05, "{path}: {later} s later than the newest");
            assert!(!head.to_lowercase().contains("millrace-picture-age"), "{path}: {head}");
        }
        assert!(asked.elapsed() > Duration::from_secs(2), "next waits");
    });
}

#[test]
fn a_wrong_value_is_answered_400_with_those_that_are_right() {
    let pod = Pod::start(&everything(10));
    for (query, right) in
        [("keyframe=first", "keyframe=next"), ("keyframe=1", "keyframe=last"), ("header=maybe", "header=0")]
    {
        let out = pod.curl(&format!("/x.ts?{query}"), &["-w", " %{http_code} %{content_type}"]).stdout;
        let said = String::from_utf8(out).unwrap();
        assert!(said.contains(query) && said.contains(right), "{said}");
        assert!(said.ends_with(" 400 text/plain; charset=utf-8"), "{said}");
    }
    assert_eq!(pod.entry("feeds", "pattern")["restarts"], 0);
    assert_eq!(pod.entry("feeds", "pattern")["bytesIn"], 0, "it was not started for that");
}

#[test]
fn head_says_what_is_known_and_starts_nothing() {
    let pod = Pod::start(&everything(10));
    let head = |path: &str| String::from_utf8(pod.curl(path, &["-I"]).stdout).unwrap().to_lowercase();
    assert!(head("/x.ts").starts_with("http/1.1 200"), "{}", head("/x.ts"));
    assert_eq!(pod.entry("feeds", "pattern")["state"], "Idle");
    let _viewer = under_way(&pod, "/x.ts");
    let known = head("/x.ts?keyframe");
    assert!(
        known.contains("content-type: video/mp2t") && known.contains("millrace-picture-age: "),
        "{known}"
    );
    assert!(head("/nothing").starts_with("http/1.1 404"));
}

#[test]
fn one_command_runs_for_all_viewers_of_a_stream() {
    let pod = Pod::start(&everything(10));
    let running = || {
        let is_ffmpeg =
            |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c == "ffmpeg\n");
        children_of(pod.pid()).into_iter().filter(is_ffmpeg).count()
    };
    assert_eq!(running(), 0, "nothing runs before somebody watches");
    let viewers: Vec<_> =
        (0..5).flat_map(|_| ["/x.mkv", "/x.ts"]).map(|path| under_way(&pod, path)).collect();
    assert_eq!(pod.stat()["totals"]["viewers"], 10);
    assert_eq!(running(), 2, "one for the feed, one for the stream with a command");
    for viewer in &viewers {
        viewer.shutdown(std::net::Shutdown::Both).unwrap();
    }
    drop(viewers);
    eventually("all of it ends with the last viewer", || (running() == 0).then_some(()));
}

#[test]
fn when_the_encoder_is_started_again_those_who_can_go_on_stay_and_the_others_are_closed_cleanly() {
    let pod = Pod::start(&everything(10));
    let names = ["ts", "mjpeg", "ogg", "aac", "mp3", "mp4", "mkv", "flv"];
    for name in names {
        let path = format!("/x.{name}");
        let mut viewer = pod.viewer(&path);
        assert!(read_from(&mut viewer, 5000).0.starts_with("HTTP/1.1 200"), "{name}");
        let (list, of) = if name == "ts" { ("feeds", "pattern") } else { ("streams", name) };
        let before = pod.entry(list, of);
        let pid = before["pid"].as_u64().unwrap().to_string();
        assert_eq!(millrace_e2e::run("kill", &["-9", &pid], 5).code, Some(0));
        eventually("it is started again", || {
            (pod.entry(list, of)["restarts"].as_u64() > before["restarts"].as_u64()).then_some(())
        });
        // Far more than was under way at that time.
        let mut more = vec![0; if matches!(name, "ogg" | "aac" | "mp3") { 20_000 } else { 60_000 }];
        let went_on = viewer.read_exact(&mut more);
        let stays = !matches!(name, "mp4" | "mkv" | "flv");
        assert_eq!(went_on.is_ok(), stays, "{name}: {went_on:?}");
        if let Err(end) = went_on {
            assert_eq!(end.kind(), std::io::ErrorKind::UnexpectedEof, "{name}: an end, no reset");
        }
    }
}

#[test]
fn who_is_slow_skips_and_goes_on_at_a_unit_and_nobody_waits_for_it() {
    let mut argv = words(
        "ffmpeg -nostdin -loglevel error -re -f lavfi -i testsrc2=size=640x360:rate=25,noise=alls=80:allf=t",
    );
    argv.extend(words("-c:v mpeg2video -qscale:v 2 -g 12 -f mpegts -flush_packets 1 {output}"));
    let yaml = feed("fat", &argv) + &stream("fat", &json!({"path": "/fat.ts", "feeds": ["fat"]}));
    let pod = Pod::start(&yaml);
    let mut slow = pod.viewer("/fat.ts");
    let quick = under_way(&pod, "/fat.ts");
    let (_, mut bytes) = read_from(&mut slow, 100_000);
    eventually("the one that does not read skips", || {
        pod.entry("streams", "fat")["skips"].as_u64().filter(|skips| *skips > 0)
    });
    let mut buffer = vec![0; 1 << 20];
    while bytes.len() < 20 << 20 {
        let n = slow.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "it was let go");
        bytes.extend_from_slice(&buffer[..n]);
        if pod.entry("streams", "fat")["skips"].as_u64() > Some(0) && bytes.len() > 12 << 20 {
            break;
        }
    }
    assert!(bytes.chunks(188).all(|packet| packet[0] == 0x47), "units are never cut");
    drop(quick);
}

#[test]
fn a_stream_that_gives_nothing_is_answered_504_and_one_that_keeps_failing_503() {
    let silent = words("sleep 1000");
    let fails = words("ffmpeg -nostdin -hide_banner -loglevel error -i /does/not/exist -f mpegts {output}");
    let yaml = stream("silent", &json!({"path": "/silent.ts", "command": silent, "silence": "0s"}))
        + &stream("fails", &json!({"path": "/fails.ts", "command": fails}));
    let pod = Pod::start(&yaml);
    let answer = |path: &str| String::from_utf8(pod.curl(path, &["-i"]).stdout).unwrap().to_lowercase();
    let failed = answer("/fails.ts");
    assert!(failed.starts_with("http/1.1 503") && failed.contains("\nretry-after: "), "{failed}");
    assert!(failed.contains("/does/not/exist"), "the body says why: {failed}");
    let began = Instant::now();
    let silent = answer("/silent.ts");
    assert!(silent.starts_with("http/1.1 504"), "{silent}");
    assert!(began.elapsed() >= Duration::from_secs(19), "{:?}", began.elapsed());
}

//! Samples that ffmpeg makes, and what ffprobe and ffmpeg say about them.
#![allow(dead_code, reason = "shared by several test binaries, none of which uses all")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use millrace_bus::{Container, Units};
use millrace_media::Sniffer;

pub const VIDEO: &[&str] = &["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4"];
pub const AUDIO: &[&str] = &["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=4"];
pub const X264: &[&str] =
    &["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "25"];
pub const AAC: &[&str] = &["-c:a", "aac"];

/// What ffmpeg writes with these arguments to a pipe.
pub fn ffmpeg(parts: &[&[&str]]) -> Vec<u8> {
    let out = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin"])
        .args(parts.concat())
        .arg("pipe:1")
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout.len() > 1000);
    out.stdout
}

pub struct File(pub PathBuf, tempfile::TempDir);

pub fn file(bytes: &[u8]) -> File {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sample");
    std::fs::write(&path, bytes).unwrap();
    File(path, dir)
}

#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    pub video: bool,
    pub key: bool,
    pub pts: f64,
    pub pos: Option<u64>,
}

/// The packets that ffprobe sees.
pub fn packets(bytes: &[u8]) -> Vec<Packet> {
    let file = file(bytes);
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "packet=codec_type,pts_time,pos,flags", "-of", "compact=p=0"])
        .arg(&file.0)
        .output()
        .expect("ffprobe runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let field = |line: &str, name: &str| {
        line.split('|').find_map(|f| f.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    };
    text.lines()
        .filter(|line| line.contains("codec_type="))
        .map(|line| Packet {
            video: field(line, "codec_type").as_deref() == Some("video"),
            key: field(line, "flags").is_some_and(|f| f.starts_with('K')),
            pts: field(line, "pts_time").and_then(|t| t.parse().ok()).unwrap_or(f64::NAN),
            pos: field(line, "pos").and_then(|p| p.parse().ok()),
        })
        .collect()
}

pub fn keys(packets: &[Packet]) -> usize {
    packets.iter().filter(|p| p.video && p.key).count()
}

/// Decodes with ffmpeg: frames decoded and what it complained of.
pub fn decode(bytes: &[u8], frames: u32, map: &str) -> (usize, String) {
    decode_as(bytes, frames, map, None)
}

pub fn decode_as(bytes: &[u8], frames: u32, map: &str, format: Option<&str>) -> (usize, String) {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "warning", "-nostdin"]);
    if let Some(format) = format {
        command.args(["-f", format]);
    }
    let limit = frames.to_string();
    let count = if map.contains('v') { "-frames:v" } else { "-frames:a" };
    command.args(["-i", "pipe:0", "-map", map, count, &limit, "-f", "framecrc", "pipe:1"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg runs");
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&bytes);
    });
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let count = text.lines().filter(|l| !l.starts_with('#')).count();
    // Said of any mono sound whose container has no channel layout.
    let complaints = String::from_utf8_lossy(&out.stderr);
    let complaints = complaints.lines().filter(|l| !l.starts_with("Guessed Channel Layout"));
    (count, complaints.collect::<Vec<_>>().join("\n"))
}

/// All that a sniffer said of some bytes.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Seen {
    pub units: Vec<u64>,
    pub random_access: Vec<u64>,
    pub frames: u32,
}

pub fn list(units: &Units) -> Vec<u64> {
    let mut list = Vec::new();
    let mut from = 0;
    while let Some(at) = units.first_from(from) {
        list.push(at);
        from = at + 1;
    }
    list
}

impl Seen {
    pub fn push(&mut self, sniffer: &mut Sniffer, piece: &[u8]) {
        let marks = sniffer.push(piece);
        self.units.extend(list(&marks.units));
        self.random_access.extend(marks.random_access);
        self.frames += marks.frames;
    }
}

fn scramble(random: u64) -> u64 {
    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// One push, held against random splits and single bytes; the expected container against looking for it.
pub fn sniff(bytes: &[u8], container: Container) -> (Seen, Sniffer) {
    let mut whole = Sniffer::new(None);
    let mut seen = Seen::default();
    seen.push(&mut whole, bytes);
    assert!(seen.units.is_sorted_by(|a, b| a < b), "units ascend");
    assert!(seen.random_access.is_sorted_by(|a, b| a < b), "random access points ascend");
    for at in &seen.random_access {
        assert!(seen.units.binary_search(at).is_ok(), "random access point {at} is a unit");
    }
    let format = whole.format().unwrap_or_else(|| panic!("{container:?} is recognised"));
    assert_eq!(format.container, container);
    assert!(!whole.undecided());
    for (expected, seed) in [(None, 1), (Some(container), 2), (None, 3), (Some(container), 0)] {
        let mut sniffer = Sniffer::new(expected);
        let mut other = Seen::default();
        let mut rest = bytes;
        let mut random = seed as u64;
        while !rest.is_empty() {
            random = scramble(random);
            let largest = [1, 40, 3000, 70_000][(random >> 60) as usize % 4];
            let n = if seed == 0 { 1 } else { 1 + (random >> 33) as usize % largest }.min(rest.len());
            other.push(&mut sniffer, &rest[..n]);
            rest = &rest[n..];
        }
        assert_eq!(other.units, seen.units, "units, {expected:?}, {seed}");
        assert_eq!(other.frames, seen.frames, "frames, {expected:?}, {seed}");
        if !format.audio_only() {
            assert_eq!(other.random_access, seen.random_access, "random access, {expected:?}, {seed}");
        }
        assert_eq!(sniffer.format(), whole.format());
        assert_eq!(sniffer.header(), whole.header());
        assert_eq!(sniffer.header_version(), whole.header_version());
        assert_eq!(sniffer.media_time(), whole.media_time());
    }
    (seen, whole)
}

/// Header and what follows each random access point decode to a first picture (or sound) without complaint.
pub fn decodes_from_every_point(
    bytes: &[u8],
    seen: &Seen,
    sniffer: &Sniffer,
    map: &str,
    format: Option<&str>,
) {
    let header = sniffer.header().map(|h| h.bytes.to_vec()).unwrap_or_default();
    assert!(!seen.random_access.is_empty());
    for at in &seen.random_access {
        let joined = [&header[..], &bytes[*at as usize..]].concat();
        let (frames, complaints) = decode_as(&joined, 1, map, format);
        assert_eq!(frames, 1, "from {at}");
        assert!(
            complaints.is_empty(),
            "from {at}: {}",
            complaints.lines().take(5).collect::<Vec<_>>().join("\n")
        );
    }
}

/// The sniffer survives truncations, bit flips and pieces in the wrong order of a real sample; `SWEEP=10000` looks longer.
pub fn survives_damage(bytes: &[u8], container: Container) {
    let mut random = 7u64;
    let mut next = |below: usize| {
        random = scramble(random);
        (random >> 33) as usize % below.max(1)
    };
    let rounds = std::env::var("SWEEP").ok().and_then(|n| n.parse().ok()).unwrap_or(120);
    for round in 0..rounds {
        let len = [400, 4_000, 40_000][round % 3];
        let from = next(2) * next(bytes.len());
        let mut damaged = bytes[from..(from + len).min(bytes.len())].to_vec();
        for _ in 0..next(40) {
            let at = next(damaged.len());
            if let Some(byte) = damaged.get_mut(at) {
                *byte ^= 1 << next(8);
            }
        }
        if round % 5 == 0 {
            let cut = next(damaged.len());
            damaged.rotate_left(cut);
        }
        damaged.truncate(next(damaged.len() * 2));
        for expected in [None, Some(container)] {
            let mut whole = Sniffer::new(expected);
            let mut seen = Seen::default();
            seen.push(&mut whole, &damaged);
            let mut pieces = Sniffer::new(expected);
            let mut other = Seen::default();
            for piece in damaged.chunks(1 + next(300)) {
                other.push(&mut pieces, piece);
            }
            assert_eq!(seen.units, other.units, "round {round}, {expected:?}");
            assert_eq!(seen.frames, other.frames, "round {round}, {expected:?}");
            assert_eq!(whole.header(), pieces.header(), "round {round}, {expected:?}");
            assert_eq!(whole.format(), pieces.format(), "round {round}, {expected:?}");
            assert_eq!(whole.media_time(), pieces.media_time(), "round {round}, {expected:?}");
            assert_eq!(whole.abandon(), pieces.abandon(), "round {round}, {expected:?}");
        }
    }
}

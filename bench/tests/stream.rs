//! The stream that is played is one that ffmpeg has no complaint about, and it arrives.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millrace_bench::clip::{self, Clip, Mode};
use millrace_bench::reel::Reel;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn clip(dir: &Path) -> anyhow::Result<Clip> {
    clip::prepare(dir, 2, 1)
}

#[test]
fn a_clip_played_in_a_loop_is_one_valid_stream_in_both_modes() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path()).unwrap();
    for mode in [Mode::Clip, Mode::Frames] {
        let mut reel = Reel::new(&clip);
        let mut all = Vec::new();
        for round in 0..3 {
            for w in clip.writes(mode) {
                all.extend_from_slice(reel.assemble(&w, round, 1));
            }
        }
        let file = dir.path().join("looped.ts");
        std::fs::write(&file, all).unwrap();
        let out = Command::new("ffprobe")
            .args([
                "-v",
                "warning",
                "-select_streams",
                "v",
                "-show_entries",
                "frame=pts_time",
                "-of",
                "csv=p=0",
            ])
            .arg(&file)
            .output()
            .unwrap();
        let times: Vec<f64> = String::from_utf8_lossy(&out.stdout)
            .lines()
            .filter_map(|l| l.trim_end_matches(',').parse().ok())
            .collect();
        assert_eq!(String::from_utf8_lossy(&out.stderr), "", "{mode:?}");
        assert_eq!(times.len(), 180, "{mode:?}");
        let even = times.windows(2).all(|w| (w[1] - w[0] - 1.0 / 30.0).abs() < 0.001);
        assert!(even, "{mode:?}: {times:?}");
    }
}

#[test]
fn frames_are_written_thirty_a_second_and_blocks_in_33_kilobytes() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path()).unwrap();
    let frames = clip.writes(Mode::Frames);
    assert_eq!(frames.len(), 60);
    assert_eq!(frames.iter().map(|w| w.key).filter(|k| *k).count(), 2);
    for mode in [Mode::Clip, Mode::Frames] {
        let writes = clip.writes(mode);
        assert_eq!(writes.iter().map(|w| w.bytes.len()).sum::<usize>(), clip.data.len());
        assert!(writes.windows(2).all(|w| w[0].at_ns <= w[1].at_ns && w[0].bytes.end == w[1].bytes.start));
    }
    assert!(clip.writes(Mode::Clip).iter().rev().skip(1).all(|w| w.bytes.len() == 32_712));
}

#[test]
fn viewers_of_the_floor_lose_nothing_of_what_the_source_plays() {
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path()).unwrap();
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut source =
        Command::new(BENCH).arg("source").arg(&clip.path).stdout(Stdio::piped()).spawn().unwrap();
    let played = source.stdout.take().unwrap();
    let _source = Ended(source);
    let _floor = Ended(Command::new(BENCH).args(["floor", "--http", &addr]).stdin(played).spawn().unwrap());
    let until = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(&addr).is_err() {
        assert!(Instant::now() < until, "the floor does not listen");
    }
    let out = Command::new(BENCH)
        .args(["viewers", &addr, "--count", "20", "--stuck", "5", "--seconds", "2"])
        .output();
    let seen = String::from_utf8(out.unwrap().stdout).unwrap();
    assert!(seen.contains("answered 20, with stream 15, closed 0"), "{seen}");
    assert!(seen.contains("sync losses 0, writes lost 0"), "{seen}");
    assert!(seen.contains("frames: p50 0.") || seen.contains("frames: p50 1"), "{seen}");
}

#[test]
fn a_launched_program_dies_with_whoever_launched_it() {
    let script = format!("{BENCH} launch --parent $$ -- sleep 300 & echo $!; wait");
    let mut shell = Command::new("bash").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let comm = format!("/proc/{}/comm", line.trim());
    let until = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(&comm).unwrap() != "sleep\n" {
        assert!(Instant::now() < until, "it was not started");
        std::thread::yield_now();
    }
    shell.kill().unwrap();
    shell.wait().unwrap();
    while std::fs::read_to_string(&comm).is_ok_and(|name| name == "sleep\n") {
        assert!(Instant::now() < until, "it has survived");
        std::thread::yield_now();
    }
}

//! The clip that is played: made by ffmpeg once, cut into the writes a source would do.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::ts::{self, PACKET};

/// Frames a second of every clip.
pub const FPS: u64 = 30;
/// Packets of a block: with two stamps 33,088 bytes.
const BLOCK_PACKETS: usize = 174;

/// How a source writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Blocks of 33 kB, each when the frame that its end belongs to is due
    Clip,
    /// A write per video frame and the sound before it, 30 a second
    Frames,
}

impl Mode {
    /// The word used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clip => "clip",
            Self::Frames => "frames",
        }
    }
}

/// One write of the source.
#[derive(Clone, Debug)]
pub struct Write {
    /// Which bytes of the clip, whole packets.
    pub bytes: Range<usize>,
    /// When, in nanoseconds after the clip's start.
    pub at_ns: u64,
    /// It holds bytes of a key frame.
    pub key: bool,
}

/// A clip in memory.
pub struct Clip {
    /// Whole transport stream packets.
    pub data: Vec<u8>,
    /// The file it was read from.
    pub path: PathBuf,
    frames: Vec<(Range<usize>, bool)>,
}

/// Makes (once; it is kept in `dir`) and reads a clip of `seconds` with a key frame every `gop` seconds:
/// H.264 720p30 and AAC, 4 Mbit/s together.
pub fn prepare(dir: &Path, seconds: u32, gop: u32) -> Result<Clip> {
    fs::create_dir_all(dir)?;
    let path = dir.join(format!("720p30-4M-{seconds}s-gop{gop}s-v1.ts"));
    if !path.exists() {
        let part = path.with_extension("part");
        encode(&part, seconds, gop)?;
        fs::rename(&part, &path)?;
    }
    Clip::parse(fs::read(&path)?, path)
}

fn encode(to: &Path, seconds: u32, gop: u32) -> Result<()> {
    let keyint = (u64::from(gop) * FPS).to_string();
    let seconds = seconds.to_string();
    let picture = "testsrc2=size=1280x720:rate=30,noise=alls=12:allf=t"; // noise: there must be something to spend 4 Mbit/s on
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", picture])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", &seconds])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-pix_fmt",
            "yuv420p",
            "-bf",
            "0",
            "-sc_threshold",
            "0",
        ])
        .args([
            "-b:v",
            "3700k",
            "-maxrate",
            "3700k",
            "-bufsize",
            "3700k",
            "-g",
            &keyint,
            "-keyint_min",
            &keyint,
        ])
        .args(["-c:a", "aac", "-b:a", "128k", "-f", "mpegts"])
        .arg(to)
        .status()
        .context("the clip is made by ffmpeg, which could not be started: install it")?;
    ensure!(status.success(), "ffmpeg could not make {}: {status}", to.display());
    Ok(())
}

impl Clip {
    /// Takes the bytes of an MPEG-TS file apart into frames.
    pub fn parse(data: Vec<u8>, path: PathBuf) -> Result<Self> {
        ensure!(!data.is_empty() && data.len().is_multiple_of(PACKET), "{} is no MPEG-TS", path.display());
        let pmt = data.chunks_exact(PACKET).find_map(ts::pmt_pid).context("the clip has no PAT")?;
        let is_pmt = |p: &&[u8]| ts::pid(p) == Some(pmt);
        let video =
            data.chunks_exact(PACKET).filter(is_pmt).find_map(ts::video_pid).context("no video in PMT")?;
        let mut cuts = Vec::new();
        let mut tables_from = None; // tables belong to the frame they precede
        for (i, p) in data.chunks_exact(PACKET).enumerate() {
            let pid = ts::pid(p).unwrap_or(0x1fff);
            if pid == video && ts::starts_unit(p) {
                cuts.push((tables_from.take().unwrap_or(i) * PACKET, ts::random_access(p)));
            } else if pid < 0x20 || pid == pmt {
                tables_from.get_or_insert(i);
            } else {
                tables_from = None;
            }
        }
        let ends = cuts.iter().skip(1).map(|c| c.0).chain([data.len()]);
        let mut frames: Vec<_> = cuts.iter().zip(ends).map(|(c, end)| (c.0..end, c.1)).collect();
        if let Some(first) = frames.first_mut() {
            first.0.start = 0;
        }
        Ok(Self { data, path, frames })
    }

    /// Length in nanoseconds.
    pub fn duration_ns(&self) -> u64 {
        self.frames.len() as u64 * 1_000_000_000 / FPS
    }

    /// Length in ticks of 90 kHz.
    pub fn duration_90k(&self) -> u64 {
        self.frames.len() as u64 * 90_000 / FPS
    }

    /// Its writes, in order of time.
    pub fn writes(&self, mode: Mode) -> Vec<Write> {
        let due = |i: usize| i as u64 * 1_000_000_000 / FPS;
        let by_frame = self.frames.iter().enumerate();
        if mode == Mode::Frames {
            return by_frame
                .map(|(i, (b, key))| Write { bytes: b.clone(), at_ns: due(i), key: *key })
                .collect();
        }
        let mut writes = Vec::new();
        let mut from = 0;
        while from < self.data.len() {
            let to = (from + BLOCK_PACKETS * PACKET).min(self.data.len());
            let inside = |r: &Range<usize>| r.start < to && r.end > from;
            let touched = self.frames.iter().enumerate().filter(|(_, (r, _))| inside(r));
            let (mut last, mut key) = (0, false);
            for (i, (_, k)) in touched {
                last = i;
                key |= k;
            }
            writes.push(Write { bytes: from..to, at_ns: due(last), key });
            from = to;
        }
        writes
    }
}

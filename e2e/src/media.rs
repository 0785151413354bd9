//! Media as ffprobe and ffmpeg see it.

use std::path::Path;

use serde_json::Value;

use crate::tools::{Said, run};

/// One packet of a file or stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Whether it is of a video track.
    pub video: bool,
    /// Presentation time, in seconds.
    pub pts: f64,
    /// Whether decoding can begin at it.
    pub key: bool,
}

/// Kinds and codecs of the tracks of a file or URL, as `video h264`.
///
/// # Panics
/// If ffprobe does not understand it.
#[allow(clippy::panic, reason = "a test ends by it")]
pub fn tracks(input: &str) -> Vec<String> {
    let show = ["-v", "error", "-show_entries", "stream=codec_name,codec_type", "-of", "json", input];
    let said = run("ffprobe", &show, 60);
    let all: Value = serde_json::from_slice(&said.out).unwrap_or_default();
    let word = |track: &Value, key: &str| track.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
    let track = |track| format!("{} {}", word(track, "codec_type"), word(track, "codec_name"));
    match all.get("streams").and_then(Value::as_array) {
        Some(tracks) if !tracks.is_empty() => tracks.iter().map(track).collect(),
        _ => panic!("ffprobe {input}: {}", said.err),
    }
}

/// All packets of a file that have a time, in their order.
pub fn packets(file: &Path) -> Vec<Packet> {
    let file = file.display().to_string();
    let entries = "packet=codec_type,pts_time,flags";
    let said = run("ffprobe", &["-v", "quiet", "-show_entries", entries, "-of", "csv=p=0", &file], 60);
    let text = said.text();
    let packet = |line: &str| {
        let mut fields = line.split(',');
        let (kind, pts, flags) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Packet { video: kind == "video", pts: pts.parse().ok()?, key: flags.contains('K') })
    };
    text.lines().filter_map(packet).collect()
}

/// Decodes the first `pictures` of a file. Right if it exits with 0 and says nothing.
pub fn decode(file: &Path, pictures: u32) -> Said {
    let (file, pictures) = (file.display().to_string(), pictures.to_string());
    let decode = ["-v", "error", "-xerror", "-nostdin", "-i", &file, "-map", "0:v", "-frames:v", &pictures];
    run("ffmpeg", &[&decode[..], &["-f", "null", "-"]].concat(), 60)
}

/// The first picture of a file, `width` by `height` pixels of one byte of brightness each.
///
/// # Panics
/// If it cannot be decoded.
pub fn grey(file: &Path, width: u32, height: u32) -> Vec<u8> {
    let name = file.display().to_string();
    let scale = format!("scale={width}:{height}:flags=area");
    let into = ["-frames:v", "1", "-vf", &scale, "-pix_fmt", "gray", "-f", "rawvideo", "-"];
    let said = run("ffmpeg", &[&["-v", "error", "-nostdin", "-i", &name][..], &into].concat(), 60);
    assert_eq!(said.out.len(), (width * height) as usize, "{name}: no picture: {}", said.err);
    said.out
}

/// The mean brightness of a picture.
pub fn brightness(file: &Path) -> u8 {
    grey(file, 1, 1).first().copied().unwrap_or_default()
}

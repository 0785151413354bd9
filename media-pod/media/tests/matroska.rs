//! Matroska and `WebM` as ffmpeg writes them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "a test"
)]

mod support;
use millrace_bus::Container;
use millrace_media::Sniffer;
use support::*;

const MKV: Container = Container::Matroska;

/// Clusters that begin with a key frame, as ffprobe's packets have it.
fn check(bytes: &[u8], kind: &str, codecs: &[&str]) -> (Seen, Sniffer) {
    let (seen, sniffer) = sniff(bytes, MKV);
    let format = sniffer.format().unwrap();
    assert_eq!(&*format.content_type, kind);
    assert_eq!(format.tracks.iter().map(|t| t.codec).collect::<Vec<_>>(), codecs);
    let packets = packets(bytes);
    let main = !format.audio_only();
    let blocks: Vec<_> = packets.iter().filter(|p| p.video == main).collect();
    assert_eq!(seen.frames as usize, blocks.len());
    if main {
        let leads = |from: u64, to: u64| {
            blocks.iter().find(|p| p.pos.is_some_and(|pos| pos >= from && pos < to)).is_some_and(|p| p.key)
        };
        let ends = seen.units.iter().skip(1).copied().chain([u64::MAX]);
        let expected: Vec<u64> = seen
            .units
            .iter()
            .zip(ends)
            .filter(|(from, to)| leads(**from, *to))
            .map(|(from, _)| *from)
            .collect();
        assert_eq!(seen.random_access, expected);
        assert_eq!(seen.random_access.len(), keys(&packets), "every key frame begins a cluster here");
    }
    let time = sniffer.media_time().unwrap();
    assert!(time.epoch == 0 && time.at.as_millis() <= 4000, "{time:?}");
    (seen, sniffer)
}

#[test]
fn clusters_that_begin_with_a_key_frame_are_random_access_points() {
    for args in [&["-f", "matroska"][..], &["-live", "1", "-cluster_time_limit", "40", "-f", "matroska"]] {
        let bytes = ffmpeg(&[VIDEO, AUDIO, X264, AAC, args]);
        let (seen, sniffer) = check(&bytes, "video/x-matroska", &["h264", "aac"]);
        assert_eq!(seen.random_access.len(), 4);
        decodes_from_every_point(&bytes, &seen, &sniffer, "0:v", None);
        decodes_from_every_point(&bytes, &seen, &sniffer, "0:a", None);
        survives_damage(&bytes, MKV);
        assert_eq!(sniffer.header_version(), 1);
    }
}

#[test]
fn a_seekable_file_with_all_sizes_known_is_understood_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.mkv");
    ffmpeg(&[VIDEO, AUDIO, X264, AAC, &["-f", "matroska", path.to_str().unwrap(), "-f", "mpegts"]]);
    let bytes = std::fs::read(path).unwrap();
    let (seen, sniffer) = check(&bytes, "video/x-matroska", &["h264", "aac"]);
    decodes_from_every_point(&bytes, &seen, &sniffer, "0:v", None);
    let mut twice = Seen::default();
    let mut sniffer = Sniffer::new(None);
    twice.push(&mut sniffer, &bytes.repeat(2));
    assert_eq!(twice.random_access.len(), 2 * seen.random_access.len());
    assert_eq!((sniffer.media_time().unwrap().epoch, sniffer.header_version()), (1, 1));
}

#[test]
fn webm_is_webm() {
    let speed = ["-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-b:v", "1M"];
    for (codec, name) in [("libvpx", "vp8"), ("libvpx-vp9", "vp9")] {
        let bytes = ffmpeg(&[VIDEO, AUDIO, &["-c:v", codec], &speed, &["-c:a", "libopus", "-f", "webm"]]);
        let (seen, sniffer) = check(&bytes, "video/webm", &[name, "opus"]);
        decodes_from_every_point(&bytes, &seen, &sniffer, "0:v", None);
    }
}

#[test]
fn sound_alone_begins_at_a_cluster() {
    for (codec, name, format, kind) in
        [("libopus", "opus", "webm", "audio/webm"), ("aac", "aac", "matroska", "audio/x-matroska")]
    {
        let bytes = ffmpeg(&[AUDIO, &["-c:a", codec, "-cluster_time_limit", "500", "-f", format]]);
        let (seen, sniffer) = check(&bytes, kind, &[name]);
        assert!(seen.units.len() > 5);
        assert_eq!(seen.random_access, seen.units[seen.units.len() - 1..]);
        decodes_from_every_point(&bytes, &seen, &sniffer, "0:a", None);
    }
}

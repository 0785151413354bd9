//! MPEG-TS as ffmpeg writes it.
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
use std::time::Duration;

use millrace_bus::{Container, TrackKind, Units};
use millrace_media::Sniffer;
use support::*;

const TS: Container = Container::MpegTs;

fn sample() -> Vec<u8> {
    ffmpeg(&[VIDEO, AUDIO, X264, AAC, &["-f", "mpegts"]])
}

#[test]
fn every_key_frame_is_a_random_access_point_and_nothing_else_is() {
    let bytes = sample();
    let (seen, sniffer) = sniff(&bytes, TS);
    let packets = packets(&bytes);
    let at: Vec<u64> = packets.iter().filter(|p| p.video && p.key).map(|p| p.pos.unwrap()).collect();
    assert_eq!(at.len(), 4);
    assert_eq!(seen.random_access, at);
    assert_eq!(seen.frames as usize, packets.iter().filter(|p| p.video).count());
    assert_eq!(seen.units, (0..bytes.len() as u64).step_by(188).collect::<Vec<_>>());
    let format = sniffer.format().unwrap();
    assert_eq!(&*format.content_type, "video/mp2t");
    let tracks: Vec<_> = format.tracks.iter().map(|t| (t.kind, t.codec)).collect();
    assert_eq!(tracks, [(TrackKind::Video, "h264"), (TrackKind::Audio, "aac")]);
    assert_eq!(sniffer.header_version(), 1);
    assert_eq!(sniffer.header().unwrap().bytes.len(), 2 * 188);
    let time = sniffer.media_time().unwrap();
    assert_eq!(time.epoch, 0);
    assert!((3700..=4000).contains(&time.at.as_millis()), "{time:?}");
    decodes_from_every_point(&bytes, &seen, &sniffer, "0:v", None);
    survives_damage(&bytes, TS);
}

#[test]
fn units_of_a_chunk_are_one_stride() {
    let marks = Sniffer::new(None).push(&sample());
    assert!(matches!(marks.units, Units::Every { first: 0, stride: 188, .. }), "{:?}", marks.units);
}

#[test]
fn codecs_are_named() {
    let cases: [(&[&str], [&str; 2]); 3] = [
        (
            &[
                "-c:v",
                "libx265",
                "-preset",
                "ultrafast",
                "-x265-params",
                "log-level=0:keyint=25",
                "-c:a",
                "libmp3lame",
            ],
            ["h265", "mp3"],
        ),
        (&["-c:v", "mpeg2video", "-g", "25", "-b:v", "1M", "-c:a", "libopus"], ["mpeg2", "opus"]),
        (&["-c:v", "mpeg2video", "-g", "25", "-b:v", "1M", "-c:a", "ac3"], ["mpeg2", "ac3"]),
    ];
    for (args, codecs) in cases {
        let bytes = ffmpeg(&[VIDEO, AUDIO, args, &["-f", "mpegts"]]);
        let (seen, sniffer) = sniff(&bytes, TS);
        let found: Vec<_> = sniffer.format().unwrap().tracks.iter().map(|t| t.codec).collect();
        assert_eq!(found, codecs);
        assert_eq!(seen.random_access.len(), keys(&packets(&bytes)), "{codecs:?}");
        decodes_from_every_point(&bytes, &seen, &sniffer, "0:v", None);
    }
}

#[test]
fn without_the_indicator_key_frames_are_told_by_their_first_bytes() {
    for args in [
        X264,
        &["-c:v", "libx264", "-g", "25", "-bf", "2", "-pix_fmt", "yuv420p"],
        &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=0:keyint=25"],
        &["-c:v", "mpeg2video", "-g", "12", "-b:v", "1M"],
    ] {
        let mut bytes = ffmpeg(&[VIDEO, AUDIO, args, AAC, &["-f", "mpegts"]]);
        let (indicated, _) = sniff(&bytes, TS);
        for packet in bytes.chunks_exact_mut(188) {
            if packet[3] & 0x20 != 0 && packet[4] > 0 {
                packet[5] &= !0x40;
            }
        }
        let (seen, _) = sniff(&bytes, TS);
        assert_eq!(seen, indicated, "{args:?}");
    }
}

#[test]
fn sound_alone_begins_at_the_last_frame_of_each_chunk() {
    let bytes = ffmpeg(&[AUDIO, AAC, &["-f", "mpegts"]]);
    let (seen, sniffer) = sniff(&bytes, TS);
    assert!(sniffer.format().unwrap().audio_only());
    assert_eq!(seen.random_access.len(), 1);
    assert_eq!(seen.frames as usize, bytes.chunks(188).filter(|p| p[1] == 0x41 && p[2] == 0).count());
    let mut sniffer = Sniffer::new(None);
    let mut seen = Seen::default();
    bytes.chunks(8000).for_each(|piece| seen.push(&mut sniffer, piece));
    assert!(seen.random_access.len() >= bytes.len() / 8000 - 1);
    seen.random_access.pop();
    decodes_from_every_point(&bytes, &seen, &sniffer, "0:a", None);
}

#[test]
fn garbage_before_and_in_the_middle_is_passed_over() {
    let clean = sample();
    let middle = 188 * 200 + 77;
    let garbage: Vec<u8> =
        (0..5000u32).map(|n| if n % 97 == 0 { 0x47 } else { ((n * 31) >> 3) as u8 }).collect();
    let bytes = [&garbage[..], &clean[..middle], &garbage, &clean[middle..]].concat();
    let (seen, _) = sniff(&bytes, TS);
    let (before, _) = sniff(&clean, TS);
    let cut = clean[..middle].len() as u64;
    let shift = |at: u64| if at < cut { at + 5000 } else { at + 10_000 };
    let expected: Vec<u64> = before.random_access.iter().map(|at| shift(*at)).collect();
    assert_eq!(seen.random_access, expected);
    let aligned = seen.units.iter().filter(|at| bytes[**at as usize] == 0x47).count();
    assert!(aligned + 2 >= before.units.len() && seen.units.len() <= before.units.len() + 8);
}

#[test]
fn another_run_follows_one_that_was_cut_in_the_middle_of_a_packet() {
    let (a, b) = (sample(), ffmpeg(&[VIDEO, AUDIO, X264, AAC, &["-g", "50", "-f", "mpegts"]]));
    for cut in [188 * 300 + 1, 188 * 300 + 2, 188 * 301 + 3, 188 * 302 + 4, 188 * 303 + 100, 188 * 304 + 187]
    {
        let mut sniffer = Sniffer::new(None);
        sniffer.push(&a[..cut]);
        let rest = sniffer.abandon();
        assert_eq!((cut + rest.len()) % 188, 0);
        assert!(sniffer.abandon().is_empty());
        let splice = sniffer.header().unwrap().splice.clone();
        assert_eq!(splice.len(), 4 * 188);
        let joined = [&a[..cut], &rest, &splice, &b].concat();
        let (frames, complaints) = decode(&joined, 10_000, "0:v");
        let (first, _) = decode(&a[..cut / 188 * 188], 10_000, "0:v");
        assert!(
            frames >= first - 1 + 100 && frames <= first + 100,
            "{frames} of {first} + 100: {complaints}"
        );
        let mut again = Seen::default();
        let mut other = Sniffer::new(None);
        again.push(&mut other, &joined);
        assert_eq!(again.units.len(), joined.len() / 188);
        assert_eq!(other.media_time().unwrap().epoch, 1);
    }
}

#[test]
fn a_skip_to_a_random_access_point_decodes_from_there_on() {
    let bytes = sample();
    let (seen, sniffer) = sniff(&bytes, TS);
    let header = sniffer.header().unwrap();
    let (cut, to) = (seen.random_access[1] as usize + 188 * 100, seen.random_access[3] as usize);
    let joined = [&bytes[..cut], &header.splice, &header.bytes, &bytes[to..]].concat();
    let (frames, complaints) = decode(&joined, 10_000, "0:v");
    let (before, _) = decode(&bytes[..cut], 10_000, "0:v");
    let (after, _) = decode(&bytes[to..], 10_000, "0:v");
    assert!(
        (before + after - 1..=before + after).contains(&frames),
        "{frames} of {before} + {after}: {complaints}"
    );
    assert!(after >= 24);
}

#[test]
fn a_loop_of_a_file_is_a_new_epoch_and_the_same_header() {
    let bytes = sample().repeat(3);
    let mut sniffer = Sniffer::new(Some(TS));
    for piece in bytes.chunks(16 * 1024) {
        sniffer.push(piece);
    }
    let time = sniffer.media_time().unwrap();
    assert_eq!((time.epoch, sniffer.header_version()), (2, 1));
    assert!(time.at > Duration::from_secs(11) && time.at < Duration::from_secs(13));
}

#[test]
fn time_goes_on_over_the_wrap_of_the_program_clock() {
    let bytes = ffmpeg(&[VIDEO, X264, &["-output_ts_offset", "95442", "-f", "mpegts"]]);
    let (_, sniffer) = sniff(&bytes, TS);
    let time = sniffer.media_time().unwrap();
    assert!(time.epoch == 0 && (3700..=4000).contains(&time.at.as_millis()), "{time:?}");
    let packets = packets(&bytes);
    assert!(
        packets.iter().any(|p| p.pts < 10.0) || packets.iter().any(|p| p.pts > 95_443.8),
        "the sample wraps"
    );
}

#[test]
fn other_tracks_make_another_header() {
    let (a, b) = (sample(), ffmpeg(&[AUDIO, AAC, &["-f", "mpegts"]]));
    let mut sniffer = Sniffer::new(None);
    sniffer.push(&a);
    let first = sniffer.header().cloned();
    sniffer.push(&b);
    assert_eq!(sniffer.header_version(), 2);
    assert_ne!(sniffer.header().cloned(), first);
    assert!(sniffer.format().unwrap().audio_only());
}

#[test]
fn what_is_no_stream_is_given_up_after_a_while() {
    let mut sniffer = Sniffer::new(None);
    let text = b"all work and no play makes Jack a dull boy\n".repeat(2000);
    sniffer.push(&text[..60_000]);
    assert!(sniffer.undecided());
    sniffer.push(&text[60_000..]);
    assert!(!sniffer.undecided());
    assert_eq!(sniffer.format(), None);
    assert_eq!(sniffer.push(&sample()), millrace_bus::Marks::default());
    assert!(sniffer.abandon().is_empty());
}

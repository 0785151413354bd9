//! MPJPEG as ffmpeg writes it.
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

const MPJPEG: Container = Container::Mpjpeg;

fn sample() -> Vec<u8> {
    ffmpeg(&[VIDEO, &["-f", "mpjpeg"]])
}

#[test]
fn every_part_is_a_random_access_point() {
    let bytes = sample();
    let (seen, sniffer) = sniff(&bytes, MPJPEG);
    let parts: Vec<u64> = memchr::memmem::find_iter(&bytes, b"--ffmpeg\r\n").map(|at| at as u64).collect();
    assert_eq!(seen.units, parts);
    assert_eq!(seen.random_access, parts);
    assert_eq!(seen.frames as usize, packets(&bytes).len() + 1, "a boundary follows the last picture");
    let format = sniffer.format().unwrap();
    assert_eq!(&*format.content_type, "multipart/x-mixed-replace;boundary=ffmpeg");
    assert!(!format.audio_only());
    assert!(sniffer.header().is_none() && sniffer.media_time().is_none());
    let (frames, _) = decode_as(&bytes[seen.units[50] as usize..], 1000, "0:v", Some("mpjpeg"));
    assert_eq!(frames, 50);
    survives_damage(&bytes, MPJPEG);
}

#[test]
fn parts_without_a_length_end_at_the_boundary() {
    let mut bytes = Vec::new();
    for part in sample().split(|b| *b == b'\n').filter(|line| !line.starts_with(b"Content-length")) {
        bytes.extend_from_slice(part);
        bytes.push(b'\n');
    }
    bytes.pop();
    let (seen, _) = sniff(&bytes, MPJPEG);
    assert_eq!(seen.units.len(), 101);
    survives_damage(&bytes, MPJPEG);
}

#[test]
fn another_run_follows_one_that_was_cut_anywhere() {
    let (a, b) = (sample(), sample());
    let part = memchr::memmem::find_iter(&a, b"--ffmpeg\r\n").nth(20).unwrap();
    let head = part + memchr::memmem::find(&a[part..], b"\r\n\r\n").unwrap();
    let cuts = [
        0,
        1,
        5,
        9,
        10,
        17,
        23,
        30,
        head - part - 2,
        head - part + 1,
        head - part + 3,
        head - part + 4,
        3000,
    ];
    for cut in cuts.into_iter().map(|at| part + at).chain([a.len()]) {
        let mut sniffer = Sniffer::new(None);
        let mut seen = Seen::default();
        seen.push(&mut sniffer, &a[..cut]);
        let rest = sniffer.abandon();
        seen.push(&mut sniffer, &b);
        let before = if cut == a.len() { 100 } else { 20 };
        assert!(
            (before + 100..=before + 102).contains(&seen.units.len()),
            "{} units, cut at {cut}",
            seen.units.len()
        );
        let joined = [&a[..cut], &rest, &b].concat();
        let (frames, complaints) = decode_as(&joined, 1000, "0:v", Some("mpjpeg"));
        assert!(
            (before + 100..=before + 101).contains(&frames),
            "{frames} frames, cut at {cut}: {complaints}"
        );
    }
}

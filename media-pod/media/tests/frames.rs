//! Audio frames without a container, as ffmpeg writes them.
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

fn check(bytes: &[u8], container: Container, kind: &str, codec: &str) -> Seen {
    let (seen, sniffer) = sniff(bytes, container);
    let format = sniffer.format().unwrap();
    assert_eq!((&*format.content_type, format.tracks[0].codec), (kind, codec));
    assert!(sniffer.header().is_none());
    assert_eq!(seen.random_access, seen.units[seen.units.len() - 1..]);
    assert_eq!(seen.frames as usize, seen.units.len());
    let time = sniffer.media_time().unwrap();
    assert!((3990..=4150).contains(&time.at.as_millis()), "{time:?}");
    survives_damage(bytes, container);
    seen
}

#[test]
fn every_adts_frame_is_a_unit() {
    let bytes = ffmpeg(&[AUDIO, AAC, &["-f", "adts"]]);
    let seen = check(&bytes, Container::Adts, "audio/aac", "aac");
    assert_eq!(seen.frames as usize, packets(&bytes).len());
    let (frames, complaints) = decode_as(&bytes[seen.units[50] as usize..], 10, "0:a", Some("aac"));
    assert_eq!((frames, complaints.as_str()), (10, ""));
}

#[test]
fn every_mp3_frame_is_a_unit_with_tags_passed_over() {
    for args in
        [&["-id3v2_version", "3"][..], &["-id3v2_version", "0", "-ar", "22050"], &["-q:a", "2", "-ac", "2"]]
    {
        let title = "x".repeat(3000);
        let bytes = ffmpeg(&[
            AUDIO,
            &["-metadata", &format!("title={title}"), "-c:a", "libmp3lame", "-write_xing", "0"],
            args,
            &["-f", "mp3"],
        ]);
        let seen = check(&bytes, Container::Mp3, "audio/mpeg", "mp3");
        assert_eq!(seen.frames as usize, packets(&bytes).len(), "{args:?}");
    }
    let bytes = ffmpeg(&[AUDIO, &["-c:a", "mp2", "-f", "mp2"]]);
    check(&bytes, Container::Mp3, "audio/mpeg", "mp3");
}

#[test]
fn another_run_follows_one_that_was_cut_in_a_frame_and_needs_nothing_between() {
    for (args, container, format) in [
        (&["-c:a", "aac", "-f", "adts"], Container::Adts, "aac"),
        (&["-c:a", "libmp3lame", "-f", "mp3"], Container::Mp3, "mp3"),
    ] {
        let bytes = ffmpeg(&[AUDIO, args]);
        let (alone, _) = sniff(&bytes, container);
        let cut = alone.units[60] as usize + 50;
        let mut sniffer = Sniffer::new(None);
        let mut seen = Seen::default();
        seen.push(&mut sniffer, &bytes[..cut]);
        assert!(sniffer.abandon().is_empty());
        seen.push(&mut sniffer, &bytes);
        assert_eq!(seen.units.len(), 61 + alone.units.len());
        let (frames, _) = decode_as(&[&bytes[..cut], &bytes].concat(), 10_000, "0:a", Some(format));
        let whole = decode_as(&bytes, 10_000, "0:a", Some(format)).0;
        assert!(frames + 3 >= whole + 60, "{frames} of 60 + {whole}");
    }
}

#[test]
fn frames_are_found_again_after_garbage() {
    let clean = ffmpeg(&[AUDIO, AAC, &["-f", "adts"]]);
    let garbage: Vec<u8> =
        (0..4000u32).map(|n| if n % 50 == 0 { 0xff } else { ((n * 7) >> 2) as u8 }).collect();
    let (before, _) = sniff(&clean, Container::Adts);
    let middle = before.units[30] as usize + 20;
    let bytes = [&garbage[..], &clean[..middle], &garbage, &clean[middle..]].concat();
    let (seen, _) = sniff(&bytes, Container::Adts);
    assert!(seen.units.len() + 4 >= before.units.len() && seen.units.len() <= before.units.len() + 1);
    assert_eq!(seen.units[0], 4000);
}

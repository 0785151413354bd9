//! FLV as ffmpeg writes it.
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

#[test]
fn every_key_frame_is_a_random_access_point_and_nothing_else_is() {
    let bytes = ffmpeg(&[VIDEO, AUDIO, X264, AAC, &["-f", "flv"]]);
    let (seen, sniffer) = sniff(&bytes, Container::Flv);
    let packets = packets(&bytes);
    let at: Vec<u64> = packets.iter().filter(|p| p.video && p.key).map(|p| p.pos.unwrap()).collect();
    assert_eq!(at.len(), 4);
    assert_eq!(seen.random_access, at);
    assert_eq!(seen.frames as usize, packets.iter().filter(|p| p.video).count());
    let tracks: Vec<_> = sniffer.format().unwrap().tracks.iter().map(|t| t.codec).collect();
    assert_eq!(tracks, ["h264", "aac"]);
    assert_eq!(&*sniffer.format().unwrap().content_type, "video/x-flv");
    assert_eq!(sniffer.header_version(), 1);
    let time = sniffer.media_time().unwrap();
    assert_eq!((time.epoch, time.at.as_millis()), (0, 3960));
    decodes_from_every_point(&bytes, &seen, &sniffer, "0:v", Some("flv"));
    decodes_from_every_point(&bytes, &seen, &sniffer, "0:a", Some("flv"));
    survives_damage(&bytes, Container::Flv);
}

#[test]
fn sound_alone_and_pictures_alone_are_known() {
    let bytes = ffmpeg(&[AUDIO, AAC, &["-f", "flv"]]);
    let (seen, sniffer) = sniff(&bytes, Container::Flv);
    assert!(sniffer.format().unwrap().audio_only());
    assert_eq!(seen.random_access.len(), 1);
    assert_eq!(seen.frames as usize, packets(&bytes).len());
    decodes_from_every_point(&bytes, &seen, &sniffer, "0:a", Some("flv"));
    let bytes = ffmpeg(&[AUDIO, &["-ar", "44100", "-c:a", "libmp3lame", "-f", "flv"]]);
    assert_eq!(sniff(&bytes, Container::Flv).1.format().unwrap().tracks[0].codec, "mp3");
    let bytes = ffmpeg(&[VIDEO, X264, &["-f", "flv"]]);
    assert_eq!(sniff(&bytes, Container::Flv).0.random_access.len(), keys(&packets(&bytes)));
}

#[test]
fn a_file_that_begins_again_is_a_new_epoch() {
    let bytes = ffmpeg(&[VIDEO, AUDIO, X264, AAC, &["-f", "flv"]]);
    let mut sniffer = Sniffer::new(None);
    let mut seen = Seen::default();
    seen.push(&mut sniffer, &bytes.repeat(2));
    assert_eq!(seen.random_access.len(), 8);
    assert_eq!(sniffer.media_time().unwrap().epoch, 1);
    assert_eq!(sniffer.header_version(), 1);
}

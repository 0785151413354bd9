//! Ogg as ffmpeg writes it.
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

const OGG: Container = Container::Ogg;

#[test]
fn sound_begins_at_pages_that_continue_no_packet() {
    for (codec, name) in
        [("libvorbis", "vorbis"), ("libopus", "opus"), ("flac", "flac"), ("libspeex", "speex")]
    {
        let rate: &[&str] = if codec == "libspeex" { &["-ar", "32000"] } else { &[] };
        let bytes = ffmpeg(&[AUDIO, rate, &["-c:a", codec, "-page_duration", "200000", "-f", "ogg"]]);
        let (seen, sniffer) = sniff(&bytes, OGG);
        let format = sniffer.format().unwrap();
        assert_eq!((&*format.content_type, format.tracks[0].codec), ("audio/ogg", name));
        assert_eq!(seen.random_access.len(), 1);
        let pages = memchr::memmem::find_iter(&bytes, b"OggS\0").count();
        assert_eq!(seen.units.len(), pages);
        assert_eq!(sniffer.header_version(), 1);
        let time = sniffer.media_time().unwrap();
        assert!(time.epoch == 0 && (3500..=4100).contains(&time.at.as_millis()), "{name} {time:?}");
        let mut sniffer = Sniffer::new(None);
        let mut seen = Seen::default();
        bytes.chunks(bytes.len() / 4).for_each(|piece| seen.push(&mut sniffer, piece));
        assert!(seen.random_access.len() >= 3);
        decodes_from_every_point(&bytes, &seen, &sniffer, "0:a", None);
        survives_damage(&bytes, OGG);
    }
}

#[test]
fn key_frames_of_theora_are_random_access_points() {
    let bytes = ffmpeg(&[VIDEO, AUDIO, &["-c:v", "libtheora", "-g", "25", "-c:a", "libvorbis", "-f", "ogg"]]);
    let (seen, sniffer) = sniff(&bytes, OGG);
    let format = sniffer.format().unwrap();
    assert_eq!(&*format.content_type, "video/ogg");
    assert_eq!(format.tracks.iter().map(|t| t.codec).collect::<Vec<_>>(), ["theora", "vorbis"]);
    let packets = packets(&bytes);
    assert_eq!(seen.random_access.len(), keys(&packets));
    assert_eq!(seen.frames as usize, packets.iter().filter(|p| p.video).count());
    decodes_from_every_point(&bytes, &seen, &sniffer, "0:v", None);
    survives_damage(&bytes, OGG);
}

#[test]
fn another_run_follows_one_that_was_cut_in_a_page_and_needs_nothing_between() {
    let bytes = ffmpeg(&[AUDIO, &["-c:a", "libvorbis", "-page_duration", "100000", "-f", "ogg"]]);
    let (alone, _) = sniff(&bytes, OGG);
    let cut = alone.units[20] as usize + 200;
    let mut sniffer = Sniffer::new(None);
    let mut seen = Seen::default();
    seen.push(&mut sniffer, &bytes[..cut]);
    assert!(sniffer.abandon().is_empty());
    seen.push(&mut sniffer, &bytes);
    assert_eq!(seen.units.len(), 21 + alone.units.len());
    let samples = |bytes: &[u8]| decode_as(bytes, 10_000, "0:a", Some("ogg")).0;
    let (first, whole) = (samples(&bytes[..alone.units[20] as usize]), samples(&bytes));
    let both = samples(&[&bytes[..cut], &bytes].concat());
    assert!(both + 12 >= first + whole && first > 20, "{both} of {first} + {whole}");
}

#[test]
fn a_chain_has_the_header_of_its_newest_link() {
    let (a, b) = (
        ffmpeg(&[AUDIO, &["-c:a", "libvorbis", "-f", "ogg"]]),
        ffmpeg(&[AUDIO, &["-c:a", "libopus", "-f", "ogg"]]),
    );
    let mut sniffer = Sniffer::new(None);
    sniffer.push(&[&a[..], &b].concat());
    assert_eq!(sniffer.header_version(), 2);
    assert_eq!(sniffer.format().unwrap().tracks[0].codec, "opus");
    let mut alone = Sniffer::new(None);
    alone.push(&b);
    assert_eq!(sniffer.header(), alone.header());
    assert_eq!(sniffer.media_time().unwrap().epoch, 1);
}

//! Fragmented MP4 as ffmpeg writes it.
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

const MP4: Container = Container::Fmp4;

fn check(bytes: &[u8], kind: &str) -> (Seen, Sniffer) {
    let (seen, sniffer) = sniff(bytes, MP4);
    let format = sniffer.format().unwrap();
    assert_eq!(&*format.content_type, kind);
    assert_eq!(sniffer.header_version(), 1);
    let packets = packets(bytes);
    let main = !format.audio_only();
    assert_eq!(seen.frames as usize, packets.iter().filter(|p| p.video == main).count());
    if main {
        // The first video packet at or after each unit, by where its bytes lie.
        let ends = seen.units.iter().skip(1).copied().chain([u64::MAX]);
        let leads = |from: u64, to: u64| {
            let mut within: Vec<_> = packets
                .iter()
                .filter(|p| p.video && p.pos.is_some_and(|pos| pos >= from && pos < to))
                .collect();
            within.sort_by_key(|p| p.pos);
            within.first().is_some_and(|p| p.key)
        };
        let expected: Vec<u64> = seen
            .units
            .iter()
            .zip(ends)
            .filter(|(from, to)| leads(**from, *to))
            .map(|(from, _)| *from)
            .collect();
        assert_eq!(seen.random_access, expected);
        assert_eq!(seen.random_access.len(), keys(&packets));
    }
    assert_eq!(sniffer.media_time().unwrap().epoch, 0);
    (seen, sniffer)
}

#[test]
fn fragments_that_begin_with_a_key_frame_are_random_access_points() {
    for flags in [
        "frag_keyframe+empty_moov+default_base_moof",
        "frag_every_frame+empty_moov+default_base_moof",
        "cmaf+frag_keyframe",
        "dash+frag_keyframe+empty_moov+global_sidx",
    ] {
        let bytes = ffmpeg(&[VIDEO, AUDIO, X264, AAC, &["-movflags", flags, "-f", "mp4"]]);
        let (seen, sniffer) = check(&bytes, "video/mp4; codecs=\"avc1.42C00C,mp4a.40.2\"");
        assert_eq!(seen.random_access.len(), 4, "{flags}");
        assert_eq!(sniffer.obstacle(), None);
        decodes_from_every_point(&bytes, &seen, &sniffer, "0:v", None);
        survives_damage(&bytes, MP4);
    }
}

#[test]
fn fragments_with_places_in_the_file_are_no_random_access_points_and_that_is_said() {
    for args in [&[VIDEO, AUDIO, X264, AAC][..], &[AUDIO, AAC]] {
        let bytes = ffmpeg(&[&args.concat(), &["-movflags", "frag_keyframe+empty_moov", "-f", "mp4"]]);
        let (seen, sniffer) = sniff(&bytes, MP4);
        assert!(!seen.units.is_empty() && seen.random_access.is_empty());
        assert!(sniffer.obstacle().unwrap().contains("default_base_moof"));
        let joined = [&sniffer.header().unwrap().bytes[..], &bytes[seen.units[0] as usize + 1000..]].concat();
        assert_ne!(
            decode(&joined, 1, if args.len() > 2 { "0:v" } else { "0:a" }).1,
            "",
            "ffmpeg cannot begin there either"
        );
    }
}

#[test]
fn sound_alone_begins_at_any_fragment() {
    let flags = ["-movflags", "frag_every_frame+empty_moov+default_base_moof", "-f", "mp4"];
    let bytes = ffmpeg(&[AUDIO, AAC, &flags]);
    let (seen, sniffer) = check(&bytes, "audio/mp4; codecs=\"mp4a.40.2\"");
    assert_eq!(seen.random_access.len(), 1);
    decodes_from_every_point(&bytes, &seen, &sniffer, "0:a", None);
    let bytes = ffmpeg(&[AUDIO, &["-c:a", "libopus"], &flags]);
    check(&bytes, "audio/mp4; codecs=\"opus\"");
}

#[test]
fn other_codecs_are_named_as_browsers_want_it() {
    let fragments = ["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4"];
    let h265 = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        "-x265-params",
        "log-level=0:keyint=25",
    ];
    let bytes = ffmpeg(&[VIDEO, &h265, &["-tag:v", "hvc1"], &fragments]);
    check(&bytes, "video/mp4; codecs=\"hvc1.1.6.L60.90\"");
    let vp9 =
        ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-pix_fmt", "yuv420p"];
    let bytes = ffmpeg(&[VIDEO, &vp9, &fragments]);
    check(&bytes, "video/mp4; codecs=\"vp09.00.11.08\"");
}

#[test]
fn a_file_without_fragments_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    for flags in ["faststart", "disable_chpl"] {
        let path = dir.path().join(format!("{flags}.mp4"));
        ffmpeg(&[VIDEO, X264, &["-movflags", flags, path.to_str().unwrap(), "-f", "mpegts"]]);
        let bytes = std::fs::read(path).unwrap();
        let mut sniffer = Sniffer::new(None);
        let marks = sniffer.push(&bytes);
        assert_eq!(
            (marks, sniffer.undecided(), sniffer.format()),
            (millrace_bus::Marks::default(), false, None)
        );
    }
}

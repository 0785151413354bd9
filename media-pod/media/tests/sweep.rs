//! Bytes that nobody meant.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "a test"
)]

use millrace_bus::Container;
use millrace_media::Sniffer;
use proptest::prelude::*;

const ALL: [Option<Container>; 9] = [
    None,
    Some(Container::MpegTs),
    Some(Container::Fmp4),
    Some(Container::Matroska),
    Some(Container::Flv),
    Some(Container::Ogg),
    Some(Container::Mpjpeg),
    Some(Container::Adts),
    Some(Container::Mp3),
];

/// Beginnings of each container, after which random bytes get further in.
const BEGINNINGS: [&[u8]; 9] = [
    b"",
    b"\x1a\x45\xdf\xa3\x84\x42\x82\x81m\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff\x1f\x43\xb6\x75\xff",
    b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x09\0\0\x05\0\0\0\0\0\0\0\x17\0",
    b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x02",
    b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x40moov",
    b"--x\r\nContent-type: image/jpeg\r\n",
    b"\xff\xf1\x4c\x80\x02\x1f\xfc",
    b"ID3\x04\0\0\0\0\0\x02xx\xff\xfb\x90\x64",
    b"\x47\x40\0\x10\0\0\xb0\x0d\0\x01\xc1\0\0\0\x01\xf0\0\x2a\xb1\x04\xb2",
];

proptest! {
    #[test]
    fn random_bytes_never_panic_and_marks_never_depend_on_the_split(
        beginning in 0usize..9,
        tail in proptest::collection::vec(any::<u8>(), 0..3000),
        cut in 1usize..500,
    ) {
        let bytes = [BEGINNINGS[beginning], &tail].concat();
        for expected in ALL {
            let mut whole = Sniffer::new(expected);
            let marks = whole.push(&bytes);
            let mut pieces = Sniffer::new(expected);
            let frames: u32 = bytes.chunks(cut).map(|piece| pieces.push(piece).frames).sum();
            prop_assert_eq!(frames, marks.frames);
            prop_assert_eq!(whole.format(), pieces.format());
            prop_assert_eq!(whole.header(), pieces.header());
            prop_assert_eq!(whole.media_time(), pieces.media_time());
            prop_assert_eq!(whole.abandon(), pieces.abandon());
        }
    }
}

#[test]
fn garbage_costs_linear_time() {
    for pattern in [
        &b"\x47"[..],
        b"\xff",
        b"\xff\xf1\x4c\x80\x1f\xff\xfc",
        b"O",
        b"OggS\0",
        b"--",
        b"\xff\xfb\x90\x64",
        b"I",
        b"\0",
    ] {
        let bytes: Vec<u8> = pattern.iter().copied().cycle().take(1 << 20).collect();
        for expected in ALL {
            let start = std::time::Instant::now();
            let mut sniffer = Sniffer::new(expected);
            bytes.chunks(1000).for_each(|piece| drop(sniffer.push(piece)));
            let taken = start.elapsed().as_secs_f64();
            // Some 50 ns a byte would already be slow for a debug build; quadratic would be minutes.
            assert!(taken < 8.0, "{pattern:?} as {expected:?} took {taken} s");
        }
    }
}

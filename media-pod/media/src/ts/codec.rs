//! Stream types, ISO/IEC 13818-1 table 2-34, and what registration descriptors add.

use millrace_bus::TrackKind::{self, Audio, Other, Video};

const REGISTRATION: u8 = 0x05;
const AC3: u8 = 0x6a;
const EAC3: u8 = 0x7a;
const PRIVATE_PES: u8 = 0x06;

/// What an elementary stream is, from its type and descriptors.
pub(crate) fn codec(stream_type: u8, descriptors: &[u8]) -> (TrackKind, &'static str) {
    match stream_type {
        0x01 => (Video, "mpeg1"),
        0x02 => (Video, "mpeg2"),
        0x03 | 0x04 => (Audio, "mp3"),
        0x0f | 0x11 => (Audio, "aac"),
        0x10 => (Video, "mpeg4"),
        0x1b => (Video, "h264"),
        0x24 => (Video, "h265"),
        0x33 => (Video, "h266"),
        0x81 => (Audio, "ac3"),
        0x87 => (Audio, "eac3"),
        0xea => (Video, "vc1"),
        PRIVATE_PES => private(descriptors),
        _ => registered(descriptors).unwrap_or((Other, "unknown")),
    }
}

fn private(descriptors: &[u8]) -> (TrackKind, &'static str) {
    let by_tag = each(descriptors).find_map(|(tag, _)| match tag {
        AC3 => Some((Audio, "ac3")),
        EAC3 => Some((Audio, "eac3")),
        _ => None,
    });
    by_tag.or_else(|| registered(descriptors)).unwrap_or((Other, "unknown"))
}

fn registered(descriptors: &[u8]) -> Option<(TrackKind, &'static str)> {
    each(descriptors).filter(|(tag, _)| *tag == REGISTRATION).find_map(|(_, body)| match body.get(..4)? {
        b"Opus" => Some((Audio, "opus")),
        b"AC-3" => Some((Audio, "ac3")),
        b"EAC3" => Some((Audio, "eac3")),
        b"HEVC" => Some((Video, "h265")),
        b"AV01" => Some((Video, "av1")),
        b"VC-1" => Some((Video, "vc1")),
        b"VP09" => Some((Video, "vp9")),
        _ => None,
    })
}

/// Tag and body of each descriptor.
fn each(descriptors: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = descriptors;
    std::iter::from_fn(move || {
        let [tag, len, after @ ..] = rest else { return None };
        let (body, left) = after.split_at_checked(usize::from(*len))?;
        rest = left;
        Some((*tag, body))
    })
}

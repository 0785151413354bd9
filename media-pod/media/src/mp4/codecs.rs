//! Sample entries: short names, and those of RFC 6381 and the codecs' own bindings.

use std::fmt::Write;

use super::boxes::find;
use crate::read::{be, byte, part};

/// Bytes of a sample entry before its boxes.
const VISUAL: usize = 78;
const SOUND: usize = 28;

/// The short name of a sample entry, and the one for a media type's `codecs` if it can be told.
pub(crate) fn name(kind: [u8; 4], entry: &[u8]) -> (&'static str, Option<String>) {
    let within = |skip: usize, kind: [u8; 4]| entry.get(skip..).and_then(|b| find(b, kind));
    let fourcc = std::str::from_utf8(&kind).unwrap_or_default();
    match &kind {
        b"avc1" | b"avc3" => ("h264", within(VISUAL, *b"avcC").and_then(|c| avc(fourcc, c))),
        b"hvc1" | b"hev1" => ("h265", within(VISUAL, *b"hvcC").and_then(|c| hevc(fourcc, c))),
        b"av01" => ("av1", within(VISUAL, *b"av1C").and_then(av1)),
        b"vp08" => ("vp8", within(VISUAL, *b"vpcC").and_then(|c| vp(fourcc, c))),
        b"vp09" => ("vp9", within(VISUAL, *b"vpcC").and_then(|c| vp(fourcc, c))),
        b"mp4a" => within(SOUND, *b"esds").and_then(mpeg4).unwrap_or(("aac", None)),
        b"Opus" => ("opus", Some("opus".into())),
        b"fLaC" => ("flac", Some("flac".into())),
        b"ac-3" => ("ac3", Some("ac-3".into())),
        b"ec-3" => ("eac3", Some("ec-3".into())),
        b".mp3" => ("mp3", Some("mp3".into())),
        b"vvc1" | b"vvi1" => ("h266", None),
        _ => ("unknown", None),
    }
}

/// ISO/IEC 14496-15: profile, constraints, level.
fn avc(fourcc: &str, record: &[u8]) -> Option<String> {
    Some(format!("{fourcc}.{:06X}", be(record, 1, 3)?))
}

/// ISO/IEC 14496-15 annex E.3.
fn hevc(fourcc: &str, record: &[u8]) -> Option<String> {
    let first = byte(record, 1)?;
    let space = ["", "A", "B", "C"].get(usize::from(first >> 6))?;
    let compatible = (be(record, 2, 4)? as u32).reverse_bits();
    let tier = if first & 0x20 == 0 { 'L' } else { 'H' };
    let mut name = format!("{fourcc}.{space}{}.{compatible:X}.{tier}{}", first & 0x1f, byte(record, 12)?);
    let constraints = part(record, 6, 6)?;
    let used = constraints.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    for byte in constraints.iter().take(used) {
        write!(name, ".{byte:X}").ok()?;
    }
    Some(name)
}

/// AV1 codec ISO media file format binding, section 5.
fn av1(record: &[u8]) -> Option<String> {
    let (first, second) = (byte(record, 1)?, byte(record, 2)?);
    let tier = if second & 0x80 == 0 { 'M' } else { 'H' };
    let depth = match (second & 0x40 != 0, second & 0x20 != 0) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    Some(format!("av01.{}.{:02}{tier}.{depth:02}", first >> 5, first & 0x1f))
}

/// VP codec ISO media file format binding.
fn vp(fourcc: &str, record: &[u8]) -> Option<String> {
    Some(format!("{fourcc}.{:02}.{:02}.{:02}", byte(record, 4)?, byte(record, 5)?, byte(record, 6)? >> 4))
}

/// ISO/IEC 14496-1: the object type in `esds`, and that of its audio configuration.
fn mpeg4(esds: &[u8]) -> Option<(&'static str, Option<String>)> {
    let (tag, es) = descriptor(esds.get(4..)?)?;
    let flags = byte(es, 2)?;
    let mut skip = 3;
    if flags & 0x80 != 0 {
        skip += 2;
    }
    if flags & 0x40 != 0 {
        skip += 1 + usize::from(byte(es, skip)?);
    }
    if flags & 0x20 != 0 {
        skip += 2;
    }
    let (inner, config) = descriptor(es.get(skip..)?)?;
    if (tag, inner) != (3, 4) {
        return None;
    }
    match byte(config, 0)? {
        0x69 | 0x6b => Some(("mp3", Some(format!("mp4a.{:02X}", byte(config, 0)?)))),
        0x40 => {
            let (_, specific) = descriptor(config.get(13..)?)?;
            let start = be(specific, 0, 2)? as u16;
            let short = start >> 11;
            let object = if short == 31 { 32 + (start >> 5 & 0x3f) } else { short };
            Some(("aac", Some(format!("mp4a.40.{object}"))))
        }
        _ => Some(("unknown", None)),
    }
}

/// Tag and body of the first descriptor.
fn descriptor(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let tag = byte(bytes, 0)?;
    let mut size = 0;
    for at in 1..=4 {
        let next = byte(bytes, at)?;
        size = size << 7 | usize::from(next & 0x7f);
        if next & 0x80 == 0 {
            return Some((tag, part(bytes, at + 1, size)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_bindings() {
        assert_eq!(avc("avc1", &[1, 0x64, 0, 0x1f]).unwrap(), "avc1.64001F");
        let main = [1, 1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93];
        assert_eq!(hevc("hvc1", &main).unwrap(), "hvc1.1.6.L93.B0");
        assert_eq!(av1(&[0x81, 0x04, 0, 0]).unwrap(), "av01.0.04M.08");
        assert_eq!(vp("vp09", &[0, 0, 0, 0, 2, 10, 0xa2]).unwrap(), "vp09.02.10.10");
        assert_eq!(mpeg4(&[0; 3]), None);
    }
}

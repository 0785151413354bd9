//! The head of a tag: what it is and whether a decoder can begin at it.

use crate::read::{be, byte, part};

/// What a tag carries; in the order that a header has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Script,
    Video,
    Audio,
}

/// A tag whose first bytes were read.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) role: Role,
    /// Milliseconds.
    pub(crate) time: u32,
    /// Track of a multitrack tag; 0 otherwise.
    pub(crate) track: u8,
    pub(crate) codec: Option<&'static str>,
    /// Belongs into the header: what a decoder is configured with, or the metadata.
    pub(crate) sequence_header: bool,
    /// Carries coded media.
    pub(crate) frame: bool,
    pub(crate) key: bool,
}

const KEY_FRAME: u8 = 1;
const COMMAND_FRAME: u8 = 5;
const MULTITRACK: (u8, u8) = (6, 5);
const MODIFIED: u8 = 7;
/// Kind of multitrack tag in which each track has its own codec.
const MANY_CODECS: u8 = 2;

impl Tag {
    /// Reads a tag's header and the first bytes of its body. `None` if it is no tag.
    pub(crate) fn read(head: &[u8]) -> Option<Self> {
        let role = match byte(head, 0)? {
            8 => Role::Audio,
            9 => Role::Video,
            18 => Role::Script,
            _ => return None,
        };
        if be(head, 8, 3)? != 0 {
            return None;
        }
        let time = (be(head, 4, 3)? | be(head, 7, 1)? << 24) as u32;
        let body = head.get(11..)?;
        let mut tag =
            Self { role, time, track: 0, codec: None, sequence_header: false, frame: false, key: false };
        match role {
            Role::Video => tag.video(body),
            Role::Audio => tag.audio(body),
            Role::Script => {
                tag.sequence_header = memchr::memmem::find(body, b"onMetaData").is_some();
                None
            }
        };
        Some(tag)
    }

    fn video(&mut self, body: &[u8]) -> Option<()> {
        let first = byte(body, 0)?;
        let kind = first >> 4 & 7;
        self.key = kind == KEY_FRAME;
        let packet = if first & 0x80 != 0 {
            self.enhanced(body, MULTITRACK.0)?
        } else {
            let (codec, packets) = match first & 0x0f {
                2 => ("h263", false),
                3 | 6 => ("screen", false),
                4 | 5 => ("vp6", false),
                7 => ("h264", true),
                12 => ("h265", true),
                _ => ("unknown", false),
            };
            self.codec = Some(codec);
            if packets { byte(body, 1)? } else { 1 }
        };
        self.sequence_header = packet == 0;
        self.frame = matches!(packet, 1 | 3) && kind != COMMAND_FRAME;
        Some(())
    }

    fn audio(&mut self, body: &[u8]) -> Option<()> {
        let first = byte(body, 0)?;
        let packet = match first >> 4 {
            9 => self.enhanced(body, MULTITRACK.1)?,
            10 => {
                self.codec = Some("aac");
                byte(body, 1)?
            }
            format => {
                self.codec = Some(match format {
                    2 | 14 => "mp3",
                    11 => "speex",
                    0 | 3 => "pcm",
                    7 => "alaw",
                    8 => "ulaw",
                    _ => "unknown",
                });
                1
            }
        };
        self.sequence_header = packet == 0;
        self.frame = packet == 1;
        Some(())
    }

    /// The enhanced header: packet type, with modifiers, tracks and codec passed over.
    fn enhanced(&mut self, body: &[u8], multitrack: u8) -> Option<u8> {
        let mut packet = byte(body, 0)? & 0x0f;
        let mut at = 1;
        while packet == MODIFIED {
            let mut len = usize::from(byte(body, at)?) + 1;
            at += 1;
            if len == 256 {
                len = be(body, at, 2)? as usize + 1;
                at += 2;
            }
            at += len;
            packet = byte(body, at)? & 0x0f;
            at += 1;
        }
        let mut many = 0;
        let several = packet == multitrack;
        if several {
            let kind = byte(body, at)?;
            packet = kind & 0x0f;
            many = kind >> 4;
            at += 1;
        }
        if !several || many != MANY_CODECS {
            self.codec = Some(four(part(body, at, 4)?));
            at += 4;
        }
        if several {
            if many == MANY_CODECS {
                self.codec = Some(four(part(body, at, 4)?));
                at += 4;
            }
            self.track = byte(body, at)?;
        }
        Some(packet)
    }
}

fn four(code: &[u8]) -> &'static str {
    match code {
        b"avc1" => "h264",
        b"hvc1" => "h265",
        b"vvc1" => "h266",
        b"av01" => "av1",
        b"vp08" => "vp8",
        b"vp09" => "vp9",
        b"mp4a" => "aac",
        b"Opus" => "opus",
        b"fLaC" => "flac",
        b".mp3" => "mp3",
        b"ac-3" => "ac3",
        b"ec-3" => "eac3",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: u8, body: &[u8]) -> Tag {
        let mut head = vec![kind, 0, 0, body.len() as u8, 0, 1, 0, 1, 0, 0, 0];
        head.extend_from_slice(body);
        Tag::read(&head).unwrap()
    }

    #[test]
    fn enhanced_video_is_told_by_its_code() {
        let start = read(9, b"\x90hvc1\x01");
        assert!(start.sequence_header && start.codec == Some("h265") && start.time == 0x0100_0100);
        let key = read(9, b"\x93av01\0");
        assert!(key.frame && key.key && key.codec == Some("av1"));
        assert!(!read(9, b"\xa1vp09\0").key);
        assert!(!read(9, b"\x94hvc1\0").frame, "metadata is no frame");
    }

    #[test]
    fn modifiers_and_tracks_are_passed_over() {
        let tag = read(9, b"\x97\x02abc\x01hvc1\0");
        assert!(tag.frame && tag.key && tag.codec == Some("h265"));
        let tag = read(9, b"\x96\x01hvc1\x02\0\0\0");
        assert!(tag.frame && tag.track == 2);
        let tag = read(8, b"\x95\x20Opus\x01\0");
        assert!(tag.sequence_header && tag.track == 1 && tag.codec == Some("opus"));
        read(9, b"\x97\xff\xff\xff");
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        assert!(Tag::read(&[7; 20]).is_none());
        assert!(Tag::read(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).is_none());
        assert!(Tag::read(&[9]).is_none());
    }
}

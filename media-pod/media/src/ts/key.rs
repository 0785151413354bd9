//! Whether a coded picture can be begun at, from its first bytes, where the container does not say.

use Verdict::{Key, More, Not};

/// Bytes of a picture that are looked at: parameter sets and messages of an encoder come before the picture.
const DEPTH: usize = 4096;

/// What is known of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Key,
    Not,
    More,
}

#[derive(Clone, Copy, Debug)]
enum Codec {
    H264,
    H265,
    Mpeg2,
}

/// Looks for the first start code that tells.
#[derive(Debug)]
pub(crate) struct Finder {
    codec: Codec,
    seen: usize,
    /// The newest eight bytes: a start code and what follows it can lie in two packets.
    last: u64,
    /// Bytes after the newest start code, until enough are there to judge.
    after: Option<u32>,
}

impl Finder {
    /// For a codec whose pictures can be judged.
    pub(crate) fn new(codec: &str) -> Option<Self> {
        let codec = match codec {
            "h264" => Codec::H264,
            "h265" => Codec::H265,
            "mpeg1" | "mpeg2" => Codec::Mpeg2,
            _ => return None,
        };
        Some(Self { codec, seen: 0, last: u64::MAX, after: None })
    }

    /// The next bytes of the PES packet, its own header among the first.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Verdict {
        for byte in bytes {
            self.seen += 1;
            self.last = self.last << 8 | u64::from(*byte);
            self.after = self.after.map(|n| n + 1);
            if self.after == Some(self.wanted()) {
                self.after = None;
                match self.judge() {
                    More => {}
                    told => return told,
                }
            }
            if self.last & 0xff_ffff == 1 {
                self.after = Some(0);
            }
        }
        if self.seen > DEPTH { Not } else { More }
    }

    fn wanted(&self) -> u32 {
        match self.codec {
            Codec::H264 | Codec::H265 => 2,
            Codec::Mpeg2 => 3,
        }
    }

    fn judge(&self) -> Verdict {
        let [.., a, b, c] = self.last.to_be_bytes();
        match self.codec {
            Codec::H264 => match (b & 0x80, b & 0x1f, c) {
                (0, 5, _) | (0, 6, RECOVERY_POINT) => Key,
                (0, 1..=4, _) => Not,
                _ => More,
            },
            // Bytes of 0x80 and more are the PES packet's own stream id.
            Codec::H265 => match (b & 0x80, b >> 1 & 0x3f) {
                (0, 16..=23) => Key,
                (0, 0..=15) => Not,
                _ => More,
            },
            Codec::Mpeg2 => match (a, c >> 3 & 7) {
                (0, 1) => Key,
                (0, _) => Not,
                _ => More,
            },
        }
    }
}

/// The payload type of the message that says that decoding can begin here.
const RECOVERY_POINT: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(codec: &str, bytes: &[u8]) -> Verdict {
        let whole = Finder::new(codec).unwrap().push(bytes);
        let mut pieces = Finder::new(codec).unwrap();
        let split = bytes.iter().map(|b| pieces.push(&[*b])).find(|v| *v != More).unwrap_or(More);
        assert_eq!(whole, split);
        whole
    }

    #[test]
    fn the_first_picture_tells() {
        let pes = b"\0\0\x01\xe0\0\0\x80\0\0";
        let with = |tail: &[u8]| [&pes[..], tail].concat();
        assert_eq!(told("h264", &with(b"\0\0\x01\x09\xf0\0\0\x01\x67\x42\0\0\x01\x65\x88")), Key);
        assert_eq!(told("h264", &with(b"\0\0\x01\x09\xf0\0\0\x01\x41\x9a")), Not);
        assert_eq!(told("h264", &with(b"\0\0\x01\x06\x06\x01")), Key);
        assert_eq!(told("h265", &with(b"\0\0\x01\x46\x01\0\0\x01\x26\x01")), Key);
        assert_eq!(told("h265", &with(b"\0\0\x01\x46\x01\0\0\x01\x02\x01")), Not);
        assert_eq!(told("mpeg2", &with(b"\0\0\x01\0\0\x0f\xff")), Key);
        assert_eq!(told("mpeg2", &with(b"\0\0\x01\0\0\x17\xff")), Not);
        assert_eq!(told("h264", pes), More);
        assert_eq!(told("h264", &[7; 5000]), if Finder::new("av1").is_none() { Not } else { More });
    }
}

//! What a logical stream is, from its first packet.

use millrace_bus::{Track, TrackKind};

use crate::found::track;
use crate::read::{be, byte, le};

/// How granule positions count, see [`Codec::ticks`].
#[derive(Clone, Copy, Debug)]
enum Clock {
    Unknown,
    Samples(u64),
    /// Frames since the last key frame in the lower bits, those before it in the upper.
    Theora {
        frames: u64,
        seconds: u64,
        shift: u32,
    },
    /// Frames in the upper half.
    Vp8 {
        frames: u64,
        seconds: u64,
    },
}

/// A codec, of which the first packet was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codec {
    /// `None` for what is about other streams, or is not known.
    pub(crate) kind: Option<TrackKind>,
    name: &'static str,
    /// Header packets, this one included.
    pub(crate) headers: u32,
    clock: Clock,
}

impl Codec {
    /// Reads the beginning of a stream's first packet.
    pub(crate) fn read(packet: &[u8]) -> Self {
        let sound = |name, headers, rate: Option<u64>| Self {
            kind: Some(TrackKind::Audio),
            name,
            headers,
            clock: rate.map_or(Clock::Unknown, Clock::Samples),
        };
        let picture = |name, headers, clock| Self { kind: Some(TrackKind::Video), name, headers, clock };
        match packet {
            // RFC 7845
            [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => sound("opus", 2, Some(48_000)),
            // Vorbis I section 4.2.2
            [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => sound("vorbis", 3, le(packet, 12, 4)),
            // The Ogg mapping of FLAC: the number of further header packets, and STREAMINFO
            [0x7f, b'F', b'L', b'A', b'C', ..] => {
                let more = be(packet, 7, 2).unwrap_or_default().max(1) as u32;
                sound("flac", 1 + more, be(packet, 27, 3).map(|n| n >> 4))
            }
            [b'S', b'p', b'e', b'e', b'x', b' ', ..] => {
                let extra = le(packet, 68, 4).unwrap_or_default().min(16) as u32;
                sound("speex", 2 + extra, le(packet, 36, 4))
            }
            // Theora section 6.2
            [0x80, b't', b'h', b'e', b'o', b'r', b'a', ..] => {
                picture("theora", 3, theora(packet).unwrap_or(Clock::Unknown))
            }
            [b'O', b'V', b'P', b'8', b'0', ..] => picture("vp8", 2, vp8(packet).unwrap_or(Clock::Unknown)),
            _ => Self { kind: None, name: "unknown", headers: 1, clock: Clock::Unknown },
        }
    }

    pub(crate) fn track(&self) -> Option<Track> {
        self.kind.map(|kind| track(kind, self.name))
    }

    /// Whether a packet with this first byte is a key frame.
    pub(crate) fn key(&self, first: u8) -> bool {
        match self.clock {
            Clock::Theora { .. } => first & 0xc0 == 0,
            Clock::Vp8 { .. } => first & 1 == 0 && first != b'O',
            _ => false,
        }
    }

    /// A granule position as a number of ticks, and how many there are in a second.
    pub(crate) fn ticks(&self, granule: u64) -> Option<(u64, u64)> {
        match self.clock {
            Clock::Unknown => None,
            Clock::Samples(rate) => Some((granule, rate)),
            Clock::Theora { frames, seconds, shift } => {
                let count = (granule >> shift) + (granule & ((1 << shift) - 1));
                Some((count.saturating_mul(seconds), frames))
            }
            Clock::Vp8 { frames, seconds } => Some(((granule >> 32).saturating_mul(seconds), frames)),
        }
    }
}

fn theora(packet: &[u8]) -> Option<Clock> {
    let shift = u32::from((byte(packet, 40)? & 3) << 3 | byte(packet, 41)? >> 5);
    Some(Clock::Theora { frames: be(packet, 22, 4)?, seconds: be(packet, 26, 4)?, shift })
}

fn vp8(packet: &[u8]) -> Option<Clock> {
    Some(Clock::Vp8 { frames: be(packet, 18, 4)?, seconds: be(packet, 22, 4)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn granules_of_theora_count_frames_in_two_parts() {
        let clock = Clock::Theora { frames: 25, seconds: 1, shift: 6 };
        let codec = Codec { kind: None, name: "", headers: 3, clock };
        assert_eq!(codec.ticks(50 << 6 | 3), Some((53, 25)));
        assert_eq!(Codec::read(b"\x80theora").ticks(1), None);
        assert_eq!(Codec::read(b"").headers, 1);
    }
}

//! The packed header in front of every packet (`dap_stream_packet_hdr`).

use super::{ChannelId, Flags};

/// Bytes of a header: 4 + 1 + 4 + 2 + 1, packed.
pub const HEADER_LEN: usize = 12;

/// One header as it stands on the wire, little endian (packed C on the machines the format comes from).
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 4 | `size`: bytes of data after the header |
/// | 4 | 1 | `kind`: packet type |
/// | 5 | 4 | `sequence`: number of the packet on its channel and direction, low 32 bits |
/// | 9 | 2 | `channel`: channel id |
/// | 11 | 1 | `flags` |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of data after the header.
    pub size: u32,
    /// Packet type as it was sent, known or not.
    pub kind: u8,
    /// Number of the packet on its channel and direction, low 32 bits.
    pub sequence: u32,
    /// Channel.
    pub channel: ChannelId,
    /// What was done to the data.
    pub flags: Flags,
}

impl Header {
    /// The twelve bytes.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let [s0, s1, s2, s3] = self.size.to_le_bytes();
        let [q0, q1, q2, q3] = self.sequence.to_le_bytes();
        let [c0, c1] = self.channel.0.to_le_bytes();
        [s0, s1, s2, s3, self.kind, q0, q1, q2, q3, c0, c1, self.flags.0]
    }

    /// Reads twelve bytes. Every value is a header: what it means is checked by who uses it.
    pub fn decode(bytes: [u8; HEADER_LEN]) -> Self {
        let [s0, s1, s2, s3, kind, q0, q1, q2, q3, c0, c1, flags] = bytes;
        Self {
            size: u32::from_le_bytes([s0, s1, s2, s3]),
            kind,
            sequence: u32::from_le_bytes([q0, q1, q2, q3]),
            channel: ChannelId(u16::from_le_bytes([c0, c1])),
            flags: Flags(flags),
        }
    }
}

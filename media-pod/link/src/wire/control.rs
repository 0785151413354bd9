//! Messages of type CONTROL on channel 0.

use bytes::{BufMut, Bytes, BytesMut};

use super::{ChannelId, ChannelType};

/// What the opener of a channel asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions(pub u8);

impl OpenOptions {
    /// Neither.
    pub const NONE: Self = Self(0);
    /// Every packet of the channel is sealed, whatever the transport is.
    pub const ENCRYPTED: Self = Self(0x01);
    /// The seal's key also depends on a key that both sides have of their own.
    pub const KEYED: Self = Self(0x02);

    /// Whether all of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One control message: a number, then fixed fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// 0x01: opens a channel.
    Open {
        /// Which.
        channel: ChannelId,
        /// What for; must be the id's own type below 0x100.
        kind: ChannelType,
        /// Options.
        options: OpenOptions,
        /// Bytes that the other side may send before it gets more.
        credit: u32,
    },
    /// 0x02: the channel is open.
    Accept {
        /// Which.
        channel: ChannelId,
        /// Bytes that the other side may send before it gets more.
        credit: u32,
    },
    /// 0x03: more credit.
    Credit {
        /// For which channel.
        channel: ChannelId,
        /// How many bytes more.
        bytes: u32,
    },
}

impl Control {
    /// The bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(9);
        match *self {
            Self::Open { channel, kind, options, credit } => {
                out.put_u8(0x01);
                out.put_u16_le(channel.0);
                out.put_u8(kind.0);
                out.put_u8(options.0);
                out.put_u32_le(credit);
            }
            Self::Accept { channel, credit } => {
                out.put_u8(0x02);
                out.put_u16_le(channel.0);
                out.put_u32_le(credit);
            }
            Self::Credit { channel, bytes } => {
                out.put_u8(0x03);
                out.put_u16_le(channel.0);
                out.put_u32_le(bytes);
            }
        }
        out.freeze()
    }

    /// Reads a message; `None` for anything that is none. Bytes after the fields are left alone, so that a later
    /// version can add some.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&op, rest) = bytes.split_first()?;
        match op {
            0x01 => {
                let &[c0, c1, kind, options, n0, n1, n2, n3] = rest.first_chunk()?;
                Some(Self::Open {
                    channel: ChannelId(u16::from_le_bytes([c0, c1])),
                    kind: ChannelType(kind),
                    options: OpenOptions(options),
                    credit: u32::from_le_bytes([n0, n1, n2, n3]),
                })
            }
            0x02 | 0x03 => {
                let &[c0, c1, n0, n1, n2, n3] = rest.first_chunk()?;
                let channel = ChannelId(u16::from_le_bytes([c0, c1]));
                let number = u32::from_le_bytes([n0, n1, n2, n3]);
                Some(if op == 0x02 {
                    Self::Accept { channel, credit: number }
                } else {
                    Self::Credit { channel, bytes: number }
                })
            }
            _ => None,
        }
    }
}

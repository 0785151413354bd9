//! Packet flags.

use std::ops::BitOr;

/// What was done to a packet's data (`DAP_STREAM_PKT_FLAG_*`), in the order compress, fragment, encrypt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The message is `u32` original size and an LZ4 block.
    pub const COMPRESSED: Self = Self(0x01);
    /// The data is sealed, the last 16 bytes are the tag.
    pub const ENCRYPTED: Self = Self(0x02);
    /// The data begins with `u32` total and `u32` offset and is a part of a message.
    pub const FRAGMENTED: Self = Self(0x04);
    /// Every flag there is.
    pub const KNOWN: Self = Self(0x07);

    /// Whether all of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is a bit that no flag has.
    pub fn has_unknown(self) -> bool {
        self.0 & !Self::KNOWN.0 != 0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

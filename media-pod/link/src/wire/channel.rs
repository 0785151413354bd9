//! Channel ids and types.

use std::fmt;

/// Number of a channel on one link (`ch_id`).
///
/// Below [`ChannelId::FIRST_DYNAMIC`] the id is the type: at most one such channel of each type per link. From there
/// on a channel has any type, said when it is opened; the dialer takes even ids and the acceptor odd ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub u16);

/// What a channel is for (`uint8_t type` of `dap_stream_ch`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelType(pub u8);

impl ChannelId {
    /// Channel 0: always open.
    pub const CONTROL: Self = Self(0x00);
    /// Channel 3: the handshake, always open.
    pub const SECURITY: Self = Self(0x03);
    /// The first id whose type is said when it is opened.
    pub const FIRST_DYNAMIC: u16 = 0x100;

    /// The one channel of a type.
    pub const fn of(kind: ChannelType) -> Self {
        Self(kind.0 as u16)
    }

    /// The type that the id itself says; none for a dynamic id.
    pub fn fixed_type(self) -> Option<ChannelType> {
        u8::try_from(self.0).ok().map(ChannelType)
    }

    /// Channels 0 and 3 are open from the start, cannot be opened or closed, and need no credit.
    pub fn is_permanent(self) -> bool {
        self == Self::CONTROL || self == Self::SECURITY
    }
}

impl ChannelType {
    /// Control of the link.
    pub const CONTROL: Self = Self(0x00);
    /// Files: bulk, which yields to everything else.
    pub const FILE: Self = Self(0x01);
    /// Services.
    pub const SERVICE: Self = Self(0x02);
    /// Handshake and keys.
    pub const SECURITY: Self = Self(0x03);
    /// Media.
    pub const MEDIA: Self = Self(0x04);
    /// The first type that users may define; theirs are this and up.
    pub const CUSTOM: Self = Self(0x10);
    /// `A`: signals (connection management, metadata, link quality).
    pub const SIGNAL: Self = Self(b'A');
    /// `r`: return codes.
    pub const RETCODE: Self = Self(b'r');
    /// `C`: cluster.
    pub const CLUSTER: Self = Self(b'C');
    /// `c`: content.
    pub const CONTENT: Self = Self(b'c');
    /// `S`: sessions.
    pub const SESSION: Self = Self(b'S');

    /// Whether users may give it a meaning: from [`ChannelType::CUSTOM`] up, but the five letters.
    pub fn is_custom(self) -> bool {
        let letters = [Self::SIGNAL, Self::RETCODE, Self::CLUSTER, Self::CONTENT, Self::SESSION];
        self >= Self::CUSTOM && !letters.contains(&self)
    }

    /// Whether the documents give it a meaning or leave it to users: 0x05 to 0x0f are neither.
    pub fn is_assigned(self) -> bool {
        self <= Self::MEDIA || self >= Self::CUSTOM
    }

    /// Share of a channel of this type when several have something to send.
    pub(crate) fn weight(self) -> usize {
        if self == Self::FILE { 1 } else { 4 }
    }
}

impl fmt::Debug for ChannelType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_ascii_alphabetic() {
            write!(f, "ChannelType('{}')", char::from(self.0))
        } else {
            write!(f, "ChannelType({:#04x})", self.0)
        }
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

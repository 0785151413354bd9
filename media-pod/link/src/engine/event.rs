//! What the core says.

use bytes::Bytes;

use crate::secure::Claim;
use crate::wire::{ChannelId, ChannelType, Notice, OpenOptions};

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketIn {
    /// On which channel.
    pub channel: ChannelId,
    /// What the channel is for.
    pub kind: ChannelType,
    /// The message, whole, decompressed, opened.
    pub data: Bytes,
    /// What it holds of the channel's window: give it back with [`crate::Core::consumed`] when it is done with.
    pub charge: u32,
}

/// Why a link is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// This side closed it.
    #[error("closed by this side")]
    Local,
    /// The other side closed it.
    #[error("closed by the peer: {}: {}", .0.text, .0.code)]
    Peer(Notice),
    /// The other side broke the protocol, or the handshake failed; it was told.
    #[error("{}: {}", .0.text, .0.code)]
    Failed(Notice),
    /// Nothing was heard for the keepalive timeout.
    #[error("nothing heard for the keepalive timeout")]
    KeepaliveTimeout,
    /// The handshake took too long.
    #[error("the handshake took too long")]
    HandshakeTimeout,
    /// The other side did not read for the keepalive timeout.
    #[error("the peer does not read")]
    Stalled,
    /// The other side's machine ended the connection, without a word of the protocol: its program is gone, most likely.
    #[error("the peer's machine ended the connection")]
    TransportEnded,
    /// The transport is gone.
    #[error("the connection was lost")]
    TransportLost,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done.
    Ready {
        /// Who is on the other side.
        peer: Claim,
    },
    /// The other side wants a channel: [`crate::Core::accept`] or [`crate::Core::refuse`].
    OpenRequest {
        /// Which.
        channel: ChannelId,
        /// What for.
        kind: ChannelType,
        /// How.
        options: OpenOptions,
    },
    /// A channel that this side asked for is open.
    Opened {
        /// Which.
        channel: ChannelId,
    },
    /// A channel that this side asked for is not opened, or one that the other side asked for is no longer wanted.
    Refused {
        /// Which.
        channel: ChannelId,
        /// Why.
        notice: Notice,
    },
    /// A message.
    Packet(PacketIn),
    /// A channel that was full takes messages again.
    Writable(ChannelId),
    /// An open channel is closed by the other side, or closing it is done.
    ChannelClosed {
        /// Which.
        channel: ChannelId,
        /// Why.
        notice: Notice,
    },
    /// The other side says that something was wrong.
    Complaint {
        /// On which channel.
        channel: ChannelId,
        /// What.
        notice: Notice,
    },
    /// The link is over.
    Closed(CloseReason),
}

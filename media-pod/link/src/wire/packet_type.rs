//! Packet types.

/// What a packet is (`DAP_STREAM_PKT_TYPE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// Data of a channel.
    Data = 0x01,
    /// Control of the link; only on channel 0.
    Control = 0x02,
    /// Is the other side alive, and how far away is it; only on channel 0.
    Keepalive = 0x03,
    /// Ends a channel, refuses one, or, on channel 0, ends the link.
    Close = 0x04,
    /// Says what was wrong. Changes no state.
    Error = 0x05,
}

impl PacketType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Data, Self::Control, Self::Keepalive, Self::Close, Self::Error];

    /// The type with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

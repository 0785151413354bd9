//! Packets on channel `c`: fixed header, arguments in sections, data.

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::{Code, Sections, TsdError, TsdWriter, tag};

/// Bytes of the fixed header: kind `u8`, flags `u8`, two zero bytes, arguments' size `u32`, stream id `u64`.
pub const CONTENT_HEADER_LEN: usize = 16;
/// Kind of a packet with media.
const KIND_MEDIA: u8 = 1;

/// What a content packet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentFlags(pub u8);

impl ContentFlags {
    /// Nothing special.
    pub const NONE: Self = Self(0);
    /// The container's header.
    pub const HEADER: Self = Self(0x01);
    /// A decoder can begin here.
    pub const RANDOM_ACCESS: Self = Self(0x02);
    /// A unit of the container begins here.
    pub const UNIT_START: Self = Self(0x04);
    /// The last packet of its generation.
    pub const END: Self = Self(0x08);

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

/// Which owner and which of its runs content comes from. Order is age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation {
    /// Epoch of the owner.
    pub epoch: u64,
    /// Run of the process.
    pub run: u64,
}

/// One content packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Stream id, given by the origin and the same on every link.
    pub stream: u64,
    /// What it is.
    pub flags: ContentFlags,
    /// Which owner and run it comes from.
    pub generation: Generation,
    /// Its time, microseconds.
    pub timestamp: u64,
    /// Its number in the generation: gaps are loss.
    pub item: u64,
    /// Bytes of the container.
    pub data: Bytes,
}

/// Bytes that are no content packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The fixed header is cut off or says what cannot be.
    #[error("the header of the content packet is broken")]
    Header,
    /// The arguments are no sections.
    #[error("the arguments of the content packet are broken: {0}")]
    Args(#[from] TsdError),
    /// An argument is missing or has the wrong size.
    #[error("the content packet lacks its generation, time or number")]
    Missing,
}

impl ContentError {
    /// What the sender is told.
    pub fn code(&self) -> Code {
        Code::CONTENT_INFO_CORRUPTED
    }
}

impl Content {
    /// Header and arguments, to be sent in front of the data. `room` more bytes of arguments will follow.
    pub(crate) fn head(&self, room: usize) -> BytesMut {
        let generation = [self.generation.epoch.to_le_bytes(), self.generation.run.to_le_bytes()].concat();
        let args = TsdWriter::new()
            .with(tag::GENERATION, &generation)
            .with(tag::TIMESTAMP, &self.timestamp.to_le_bytes())
            .with(tag::ITEM, &self.item.to_le_bytes())
            .finish();
        let mut out = BytesMut::with_capacity(CONTENT_HEADER_LEN + args.len() + room);
        out.put_slice(&[KIND_MEDIA, self.flags.0, 0, 0]);
        out.put_u32_le((args.len() + room) as u32);
        out.put_u64_le(self.stream);
        out.put_slice(&args);
        out
    }

    /// Header and arguments, unsigned: send them and then [`Content::data`] with `send_parts`.
    pub fn encode_head(&self) -> Bytes {
        self.head(0).freeze()
    }

    /// Reads a packet; its data is a slice.
    pub fn decode(packet: &Bytes) -> Result<Self, ContentError> {
        let (header, args) = split(packet).ok_or(ContentError::Header)?;
        let sections = Sections::parse(packet.slice(CONTENT_HEADER_LEN..args))?;
        let generation: [u8; 16] = sections.array(tag::GENERATION).ok_or(ContentError::Missing)?;
        let [e0, e1, e2, e3, e4, e5, e6, e7, r0, r1, r2, r3, r4, r5, r6, r7] = generation;
        Ok(Self {
            stream: header.1,
            flags: header.0,
            generation: Generation {
                epoch: u64::from_le_bytes([e0, e1, e2, e3, e4, e5, e6, e7]),
                run: u64::from_le_bytes([r0, r1, r2, r3, r4, r5, r6, r7]),
            },
            timestamp: sections.u64(tag::TIMESTAMP).ok_or(ContentError::Missing)?,
            item: sections.u64(tag::ITEM).ok_or(ContentError::Missing)?,
            data: packet.slice(args..),
        })
    }
}

/// Flags and stream id, and where the arguments end.
pub(crate) fn split(packet: &[u8]) -> Option<((ContentFlags, u64), usize)> {
    let &[kind, flags, _, _, a0, a1, a2, a3, s0, s1, s2, s3, s4, s5, s6, s7] =
        packet.first_chunk::<CONTENT_HEADER_LEN>()?;
    let args = CONTENT_HEADER_LEN.checked_add(u32::from_le_bytes([a0, a1, a2, a3]) as usize)?;
    let stream = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
    (kind == KIND_MEDIA && args <= packet.len()).then_some(((ContentFlags(flags), stream), args))
}

//! TSD sections: type `u16`, size `u32`, data (`dap_tsd`).

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes in front of a section's data.
pub const TSD_HEADER_LEN: usize = 6;
/// Sections that one message may have.
pub const MAX_SECTIONS: usize = 256;

/// One section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tsd {
    /// Type, from [`crate::wire::tag`].
    pub tag: u16,
    /// Data, a slice of the message.
    pub data: Bytes,
}

/// Why bytes are no list of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TsdError {
    /// The last section is cut off.
    #[error("a section ends after the message")]
    Truncated,
    /// Too many.
    #[error("more than {MAX_SECTIONS} sections")]
    TooMany,
}

/// Sections of one message, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections(Vec<Tsd>);

impl Sections {
    /// Reads all of `bytes` without copying.
    pub fn parse(mut bytes: Bytes) -> Result<Self, TsdError> {
        let mut sections = Vec::new();
        while !bytes.is_empty() {
            let Some(&[t0, t1, s0, s1, s2, s3]) = bytes.first_chunk::<TSD_HEADER_LEN>() else {
                return Err(TsdError::Truncated);
            };
            let size = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
            if bytes.len() - TSD_HEADER_LEN < size {
                return Err(TsdError::Truncated);
            }
            if sections.len() == MAX_SECTIONS {
                return Err(TsdError::TooMany);
            }
            let mut section = bytes.split_to(TSD_HEADER_LEN + size);
            let data = section.split_off(TSD_HEADER_LEN);
            sections.push(Tsd { tag: u16::from_le_bytes([t0, t1]), data });
        }
        Ok(Self(sections))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Tsd> {
        self.0.iter()
    }

    /// Data of the first section with this tag: later ones with the same tag say nothing.
    pub fn get(&self, tag: u16) -> Option<&Bytes> {
        self.0.iter().find(|section| section.tag == tag).map(|section| &section.data)
    }

    /// The first section with this tag, when it has exactly `N` bytes.
    pub fn array<const N: usize>(&self, tag: u16) -> Option<[u8; N]> {
        self.get(tag)?.as_ref().try_into().ok()
    }

    /// The first section with this tag as a `u8`.
    pub fn u8(&self, tag: u16) -> Option<u8> {
        self.array::<1>(tag).map(|[byte]| byte)
    }

    /// The first section with this tag as a `u16`.
    pub fn u16(&self, tag: u16) -> Option<u16> {
        self.array(tag).map(u16::from_le_bytes)
    }

    /// The first section with this tag as a `u64`.
    pub fn u64(&self, tag: u16) -> Option<u64> {
        self.array(tag).map(u64::from_le_bytes)
    }

    /// The first section with this tag as text.
    pub fn text(&self, tag: u16) -> Option<&str> {
        std::str::from_utf8(self.get(tag)?).ok()
    }
}

/// Writes sections one after the other.
#[derive(Clone, Debug, Default)]
pub struct TsdWriter(BytesMut);

impl TsdWriter {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more section.
    #[must_use]
    pub fn with(mut self, tag: u16, data: &[u8]) -> Self {
        self.put(tag, data);
        self
    }

    /// One more section, if there is something to put into it.
    #[must_use]
    pub fn with_some(self, tag: u16, data: Option<impl AsRef<[u8]>>) -> Self {
        match data {
            Some(data) => self.with(tag, data.as_ref()),
            None => self,
        }
    }

    /// One more section.
    pub fn put(&mut self, tag: u16, data: &[u8]) {
        self.0.reserve(TSD_HEADER_LEN + data.len());
        self.0.put_u16_le(tag);
        self.0.put_u32_le(data.len() as u32);
        self.0.put_slice(data);
    }

    /// The bytes.
    pub fn finish(self) -> Bytes {
        self.0.freeze()
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no section yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

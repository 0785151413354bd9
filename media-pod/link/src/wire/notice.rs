//! What ERROR, CLOSE and KEEPALIVE packets carry.

use bytes::{BufMut, Bytes, BytesMut};

use super::Code;

/// Bytes of text that a notice has at most.
pub const MAX_TEXT: usize = 512;

/// Data of ERROR and CLOSE: code `u32`, then text in UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub code: Code,
    /// The same for people.
    pub text: String,
}

impl Notice {
    /// A notice; the text is cut at [`MAX_TEXT`].
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        Self { code, text }
    }

    /// An end without a fault.
    pub fn done() -> Self {
        Self::new(Code::SUCCESS, "")
    }

    /// The bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(4 + self.text.len());
        out.put_u32_le(self.code.0);
        out.put_slice(self.text.as_bytes());
        out.freeze()
    }

    /// Reads a notice. No data at all is [`Code::SUCCESS`]; what is no UTF-8 becomes U+FFFD.
    pub fn decode(bytes: &[u8]) -> Self {
        match bytes.split_first_chunk::<4>() {
            Some((code, text)) => {
                let text = text.get(..MAX_TEXT).unwrap_or(text);
                Self::new(Code(u32::from_le_bytes(*code)), String::from_utf8_lossy(text))
            }
            None if bytes.is_empty() => Self::done(),
            None => Self::new(Code::ERROR, ""),
        }
    }
}

/// Data of KEEPALIVE: what it is `u8`, then eight bytes that are the asker's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// 0x00: answer this.
    Ask(u64),
    /// 0x01: the answer, with the same number.
    Answer(u64),
}

impl Echo {
    /// The nine bytes.
    pub fn encode(self) -> Bytes {
        let (kind, stamp) = match self {
            Self::Ask(stamp) => (0, stamp),
            Self::Answer(stamp) => (1, stamp),
        };
        let mut out = BytesMut::with_capacity(9);
        out.put_u8(kind);
        out.put_u64_le(stamp);
        out.freeze()
    }

    /// Reads it. A keepalive without data is a sign of life that asks for nothing: `None`.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&kind, stamp) = bytes.split_first()?;
        let stamp = u64::from_le_bytes(*stamp.first_chunk()?);
        match kind {
            0 => Some(Self::Ask(stamp)),
            1 => Some(Self::Answer(stamp)),
            _ => None,
        }
    }
}

//! Cuts a stream of bytes into packets.

use bytes::{Buf, BytesMut};

use super::{HEADER_LEN, Header};

/// Data below this size is copied out of the read buffer, so that a small packet that is kept does not keep all of it.
const COPY_BELOW: usize = 1024;

/// A packet that cannot be taken: after it nothing can be told apart any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {size} bytes on channel {channel}; at most {max} are allowed")]
pub struct FrameError {
    /// Size that the header says.
    pub size: u32,
    /// Channel that the header says.
    pub channel: u16,
    /// Largest size.
    pub max: u32,
}

/// Takes pieces of a byte stream, gives packets, each in memory that nobody else reads: it can be opened in place. A packet
/// that lies in one piece is a part of it; only one that straddles two is copied.
#[derive(Debug)]
pub struct Framer {
    max: u32,
    carry: BytesMut,
    input: BytesMut,
}

impl Framer {
    /// A framer that refuses packets with more than `max` bytes of data before it holds any of it.
    pub fn new(max: u32) -> Self {
        Self { max, carry: BytesMut::new(), input: BytesMut::new() }
    }

    /// The next piece. Take all packets out of the one before first: what is left of it is copied otherwise.
    pub fn feed(&mut self, bytes: BytesMut) {
        if self.input.is_empty() {
            self.input = bytes;
        } else {
            self.input.extend_from_slice(&bytes);
        }
    }

    /// The next whole packet.
    pub fn next_packet(&mut self) -> Result<Option<(Header, BytesMut)>, FrameError> {
        if !self.carry.is_empty() {
            return self.next_straddling();
        }
        let Some(bytes) = self.input.first_chunk::<HEADER_LEN>() else {
            self.keep_rest();
            return Ok(None);
        };
        let header = self.check(Header::decode(*bytes))?;
        let size = header.size as usize;
        if self.input.len() < HEADER_LEN + size {
            self.carry.reserve(HEADER_LEN + size);
            self.keep_rest();
            return Ok(None);
        }
        self.input.advance(HEADER_LEN);
        let data = self.input.split_to(size);
        Ok(Some((header, if size < COPY_BELOW { BytesMut::from(&data[..]) } else { data })))
    }

    fn next_straddling(&mut self) -> Result<Option<(Header, BytesMut)>, FrameError> {
        self.fill(HEADER_LEN);
        let Some(bytes) = self.carry.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let header = self.check(Header::decode(*bytes))?;
        let whole = HEADER_LEN + header.size as usize;
        self.fill(whole);
        if self.carry.len() < whole {
            return Ok(None);
        }
        let mut packet = std::mem::take(&mut self.carry);
        packet.advance(HEADER_LEN);
        Ok(Some((header, packet)))
    }

    fn check(&self, header: Header) -> Result<Header, FrameError> {
        if header.size > self.max {
            return Err(FrameError { size: header.size, channel: header.channel.0, max: self.max });
        }
        Ok(header)
    }

    fn fill(&mut self, want: usize) {
        let missing = want.saturating_sub(self.carry.len()).min(self.input.len());
        if missing > 0 {
            self.carry.reserve(want - self.carry.len());
            self.carry.extend_from_slice(&self.input.split_to(missing));
        }
    }

    fn keep_rest(&mut self) {
        self.carry.extend_from_slice(&self.input);
        self.input = BytesMut::new();
    }
}

//! Messages in pieces, and whole again.

use bytes::{Bytes, BytesMut};

/// Bytes in front of a fragment: total `u32`, offset `u32`.
pub const PREFIX_LEN: usize = 8;
/// A piece is not made smaller than this for want of credit, unless it is the last.
pub const MIN_FRAGMENT: usize = 512;

/// The next packet of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of the message in it.
    pub take: usize,
    /// Whether it is a fragment: else it is the whole message.
    pub fragment: bool,
}

impl Piece {
    /// What to send next of a message of `len` bytes of which `sent` are sent, when `budget` bytes of data may be
    /// sent; none: more credit is needed.
    pub fn next(len: usize, sent: usize, budget: usize, max_fragment: usize) -> Option<Self> {
        let rest = len - sent;
        if sent == 0 && rest <= max_fragment && rest <= budget {
            return Some(Self { take: rest, fragment: false });
        }
        let room = budget.checked_sub(PREFIX_LEN)?.min(max_fragment);
        let take = room.min(rest);
        (take >= rest.min(MIN_FRAGMENT) && take > 0).then_some(Self { take, fragment: true })
    }
}

/// What stands in front of a fragment.
pub fn prefix(total: usize, offset: usize) -> [u8; PREFIX_LEN] {
    let [t0, t1, t2, t3] = (total as u32).to_le_bytes();
    let [o0, o1, o2, o3] = (offset as u32).to_le_bytes();
    [t0, t1, t2, t3, o0, o1, o2, o3]
}

/// Total, offset and piece of a fragment.
pub fn split_prefix(data: &Bytes) -> Option<(usize, usize, Bytes)> {
    let &[t0, t1, t2, t3, o0, o1, o2, o3] = data.first_chunk::<PREFIX_LEN>()?;
    let total = u32::from_le_bytes([t0, t1, t2, t3]) as usize;
    let offset = u32::from_le_bytes([o0, o1, o2, o3]) as usize;
    Some((total, offset, data.slice(PREFIX_LEN..)))
}

/// A message of which some pieces are there.
#[derive(Debug)]
pub struct Partial {
    total: usize,
    compressed: bool,
    bytes: BytesMut,
    /// What its packets cost so far.
    pub charge: u32,
}

impl Partial {
    /// Nothing of a message of `total` bytes, which the caller has checked against its bound.
    pub fn new(total: usize, compressed: bool) -> Self {
        Self { total, compressed, bytes: BytesMut::with_capacity(total.min(64 * 1024)), charge: 0 }
    }

    /// Adds a piece; `false`: it does not follow the ones before.
    pub fn add(&mut self, total: usize, offset: usize, compressed: bool, piece: &[u8]) -> bool {
        let fits = total == self.total
            && compressed == self.compressed
            && offset == self.bytes.len()
            && piece.len() <= self.total - offset;
        if fits {
            self.bytes.extend_from_slice(piece);
        }
        fits
    }

    /// Whether all of it is there.
    pub fn is_whole(&self) -> bool {
        self.bytes.len() == self.total
    }

    /// The message.
    pub fn into_message(self) -> Bytes {
        self.bytes.freeze()
    }
}

//! Reading big-endian numbers out of bytes that may end anywhere.

/// `len` bytes from `from`, if they are there.
pub(crate) fn part(bytes: &[u8], from: usize, len: usize) -> Option<&[u8]> {
    bytes.get(from..from.checked_add(len)?)
}

/// A big-endian number of `len` bytes, 8 at most.
pub(crate) fn be(bytes: &[u8], from: usize, len: usize) -> Option<u64> {
    debug_assert!(len <= 8);
    Some(part(bytes, from, len)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

/// A little-endian number of `len` bytes, 8 at most.
pub(crate) fn le(bytes: &[u8], from: usize, len: usize) -> Option<u64> {
    debug_assert!(len <= 8);
    Some(part(bytes, from, len)?.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

/// One byte.
pub(crate) fn byte(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

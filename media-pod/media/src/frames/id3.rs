//! `ID3v2` tags before audio frames, passed over.

/// Bytes that tell.
pub(crate) const HEADER: usize = 10;

/// Length of the tag that begins with this header, if it is one.
pub(crate) fn len(header: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', version, revision, flags, a, b, c, d, ..] = *header else { return None };
    if version == 0xff || revision == 0xff || (a | b | c | d) & 0x80 != 0 {
        return None;
    }
    let size = [a, b, c, d].iter().fold(0, |n, b| n << 7 | u64::from(*b));
    let footer = if flags & 0x10 == 0 { 0 } else { HEADER as u64 };
    Some(HEADER as u64 + size + footer)
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_have_seven_bits_a_byte() {
        assert_eq!(super::len(b"ID3\x04\0\0\0\0\x02\x01"), Some(10 + 257));
        assert_eq!(super::len(b"ID3\x04\0\x10\0\0\0\0"), Some(20));
        assert_eq!(super::len(b"ID3\x04\0\0\xff\0\0\0"), None);
    }
}

//! The CRC of sections, ISO/IEC 13818-1 annex A.

const TABLE: [u32; 256] = table();

#[allow(clippy::indexing_slicing, reason = "made when compiling, where `get_mut` is not to be had")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = (n as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04c1_1db7 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}

/// Zero over a whole section that is right, its own CRC included.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        let index = (crc >> 24) as u8 ^ byte;
        crc << 8 ^ TABLE.get(usize::from(index)).copied().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_crc_is_the_one_of_the_standard() {
        assert_eq!(super::crc32(b"123456789"), 0x0376_e6e7);
    }
}

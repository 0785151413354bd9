//! Finding where packets begin, ISO/IEC 13818-1 annex G.1.

use super::{PACKET, packet::SYNC};

/// Packets that must follow each other before sync is believed.
pub(crate) const UNLIKELY: usize = 5;
/// As many suffice where sync is likely: at the very beginning, and after it was lost.
pub(crate) const LIKELY: usize = 3;
/// Bytes that are enough to believe or refuse one place.
pub(crate) const SURE: usize = (UNLIKELY - 1) * PACKET + 1;

/// What a search came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Packets begin here.
    At(usize),
    /// Nothing before this place; more bytes will tell.
    Maybe(usize),
}

/// Searches from `from` on; `needed` says how many packets in a row it takes at a place.
pub(crate) fn find(bytes: &[u8], from: usize, needed: impl Fn(usize) -> usize) -> Sync {
    let mut from = from;
    loop {
        let Some(ahead) = bytes.get(from..).and_then(|b| memchr::memchr(SYNC, b)) else {
            return Sync::Maybe(bytes.len());
        };
        let at = from + ahead;
        match (1..needed(at)).map(|n| bytes.get(at + n * PACKET)).find(|b| *b != Some(&SYNC)) {
            None => return Sync::At(at),
            Some(None) => return Sync::Maybe(at),
            Some(Some(_)) => from = at + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sync_needs_several_packets_in_a_row() {
        let mut bytes = vec![0; 7];
        for _ in 0..5 {
            bytes.push(SYNC);
            bytes.resize(bytes.len() + PACKET - 1, 0);
        }
        assert_eq!(find(&bytes, 0, |_| UNLIKELY), Sync::At(7));
        assert_eq!(find(&bytes[..7 + SURE - 1], 0, |_| UNLIKELY), Sync::Maybe(7));
        bytes[7 + 2 * PACKET] = 0;
        assert_eq!(find(&bytes, 0, |_| UNLIKELY), Sync::Maybe(7 + 3 * PACKET));
        assert_eq!(find(&[1; 400], 0, |_| UNLIKELY), Sync::Maybe(400));
    }
}

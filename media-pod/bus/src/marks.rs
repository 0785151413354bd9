//! Marks beside the bytes: where units and random access points begin.

use smallvec::SmallVec;

/// Offsets at which units begin (TS packet, moof+mdat, cluster, FLV tag, Ogg page, part, audio frame).
///
/// Offsets count from the first byte of the generation. One may lie in an earlier chunk than the one it is
/// reported with: a unit's magic number can be cut by the end of a read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// No unit begins here, or the container is not known.
    #[default]
    None,
    /// Units of one size: the first begins at `first`, the last at or before `last`.
    Every {
        /// Offset of the first unit.
        first: u64,
        /// Size of each, in bytes; never 0.
        stride: u32,
        /// Offset of the last unit that begins in this chunk.
        last: u64,
    },
    /// Units of any size, ascending.
    At(SmallVec<[u64; 4]>),
}

impl Units {
    /// The first unit that begins at or after `offset`.
    pub fn first_from(&self, offset: u64) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Every { first, stride, last } => {
                let stride = u64::from(*stride).max(1);
                let steps = offset.saturating_sub(*first).div_ceil(stride);
                let at = first.checked_add(steps.checked_mul(stride)?)?;
                (at <= *last).then_some(at)
            }
            Self::At(list) => list.iter().copied().find(|at| *at >= offset),
        }
    }

    /// The last unit of these.
    pub fn last(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Every { last, .. } => Some(*last),
            Self::At(list) => list.last().copied(),
        }
    }
}

/// What a sniffer saw in one chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Where units begin.
    pub units: Units,
    /// Units, ascending, at which a decoder can begin. They may lie before this chunk: that a fragment begins
    /// with a key frame can be told only some bytes into it. Audio without video: the last unit of each chunk.
    pub random_access: SmallVec<[u64; 2]>,
    /// Video frames that began in this chunk, where the container tells; audio without video: frames or pages.
    pub frames: u32,
}

impl Marks {
    /// Counts offsets from `base` instead.
    pub(crate) fn shift(&mut self, base: u64) {
        match &mut self.units {
            Units::None => {}
            Units::Every { first, last, .. } => {
                *first += base;
                *last += base;
            }
            Units::At(list) => list.iter_mut().for_each(|at| *at += base),
        }
        self.random_access.iter_mut().for_each(|at| *at += base);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_are_searched_without_counting() {
        let units = Units::Every { first: 100, stride: 188, last: 100 + 188 * 3 };
        assert_eq!(units.first_from(0), Some(100));
        assert_eq!(units.first_from(100), Some(100));
        assert_eq!(units.first_from(101), Some(288));
        assert_eq!(units.first_from(100 + 188 * 3), Some(100 + 188 * 3));
        assert_eq!(units.first_from(101 + 188 * 3), None);
        assert_eq!(
            Units::Every { first: u64::MAX, stride: 188, last: u64::MAX }.first_from(u64::MAX),
            Some(u64::MAX)
        );
    }

    #[test]
    fn lists_are_searched_in_order() {
        let units = Units::At(SmallVec::from_slice(&[5, 9, 30]));
        assert_eq!(units.first_from(6), Some(9));
        assert_eq!(units.first_from(31), None);
        assert_eq!(units.last(), Some(30));
    }
}

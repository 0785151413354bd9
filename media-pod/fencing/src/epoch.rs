//! Epochs: the count of a feed's owners.

use std::fmt;

use thiserror::Error;

/// The count of owners that the feed of one UID has had, from 1. Of two that claim a feed the one of the higher epoch
/// is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u32);

/// A number that is no epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("epoch {0} is outside 1 to {max}", max = Epoch::MAX)]
pub struct EpochError(pub u64);

impl Epoch {
    /// The highest, because a Lease's `leaseTransitions` is a signed number of 32 bits: enough for a change of owner
    /// each second for 68 years.
    pub const MAX: u32 = i32::MAX as u32;
    /// The epoch of a feed's first owner.
    pub const FIRST: Self = Self(1);

    /// Takes 1 to [`Epoch::MAX`].
    pub fn new(number: u64) -> Result<Self, EpochError> {
        match u32::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(EpochError(number)),
        }
    }

    /// The number.
    pub fn get(self) -> u64 {
        u64::from(self.0)
    }

    /// The epoch after all that are known: of the Lease, of `Feed.status.epoch`, and the highest announced under a
    /// verified grant.
    pub fn after(
        lease: Option<Self>,
        status: Option<Self>,
        announced: Option<Self>,
    ) -> Result<Self, EpochError> {
        match lease.max(status).max(announced) {
            Some(highest) => Self::new(highest.get() + 1),
            None => Ok(Self::FIRST),
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_epoch_is_after_all_that_are_known() {
        let epoch = |n| Epoch::new(n).unwrap();
        assert_eq!(Epoch::after(None, None, None), Ok(Epoch::FIRST));
        for (lease, status, announced, next) in [
            (Some(4), None, None, 5),
            (None, Some(7), None, 8),
            (None, None, Some(3), 4),
            (Some(2), Some(9), Some(4), 10),
            (Some(2), Some(1), Some(4), 5),
            (Some(6), Some(6), Some(6), 7),
        ] {
            let all = [lease, status, announced].map(|n: Option<u64>| n.map(epoch));
            assert_eq!(Epoch::after(all[0], all[1], all[2]), Ok(epoch(next)));
        }
    }

    #[test]
    fn an_epoch_never_wraps() {
        let last = Epoch::new(u64::from(Epoch::MAX)).unwrap();
        assert_eq!(Epoch::after(Some(last), None, None), Err(EpochError(u64::from(Epoch::MAX) + 1)));
        assert_eq!(Epoch::new(0), Err(EpochError(0)));
        assert_eq!(Epoch::new(u64::MAX), Err(EpochError(u64::MAX)));
    }
}

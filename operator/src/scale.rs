//! How many balancers there are to be, by their sessions. Pure. More at once; fewer one by one, and only after that has been
//! right for a while: who comes back finds room, and nobody is sent away for a lull.

use std::time::Duration;

use jiff::Timestamp;

/// For so long fewer must have been enough, before there is one fewer.
pub const CALM: Duration = Duration::from_mins(5);
/// From one that goes to the next: it drains meanwhile.
pub const BETWEEN: Duration = Duration::from_mins(1);

/// The bounds, and how much one is to carry.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The fewest.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// Sessions of one.
    pub sessions: u32,
}

/// What there is.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// How many there are to be by now.
    pub replicas: u32,
    /// Sessions of all that were heard.
    pub sessions: u64,
    /// Whether all were heard: of the others it is not known that they are needless.
    pub complete: bool,
    /// Since when fewer would do.
    pub since: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

/// What is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How many.
    pub replicas: u32,
    /// Since when fewer would do.
    pub since: Option<Timestamp>,
}

/// How many are enough for so many sessions: with a quarter to spare.
pub fn enough(bounds: Bounds, sessions: u64) -> u32 {
    let carried = u64::from(bounds.sessions.max(1)) * 4;
    let needed = sessions.saturating_mul(5).div_ceil(carried);
    u32::try_from(needed).unwrap_or(u32::MAX).max(bounds.min).min(bounds.max)
}

/// Decides.
pub fn wanted(bounds: Bounds, seen: Seen) -> Wanted {
    let Seen { sessions, complete, now, .. } = seen;
    let replicas = seen.replicas.max(bounds.min).min(bounds.max);
    let enough = enough(bounds, sessions);
    if enough >= replicas || !complete {
        return Wanted { replicas: replicas.max(enough), since: None };
    }
    // A clock that was set back begins anew.
    let since = seen.since.filter(|since| *since <= now).unwrap_or(now);
    let calm = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    if calm < CALM {
        return Wanted { replicas, since: Some(since) };
    }
    let next = now.checked_sub(CALM.saturating_sub(BETWEEN)).unwrap_or(now);
    Wanted { replicas: replicas - 1, since: Some(next).filter(|_| enough < replicas - 1) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { min: 2, max: 20, sessions: 2000 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    /// Runs with one look each 15 s; replicas after each.
    fn run(bounds: Bounds, mut replicas: u32, sessions: impl IntoIterator<Item = (u64, bool)>) -> Vec<u32> {
        let mut since = None;
        let looks = sessions.into_iter().enumerate().map(|(look, (sessions, complete))| {
            let seen = Seen { replicas, sessions, complete, since, now: at(15 * look as i64) };
            let next = wanted(bounds, seen);
            (replicas, since) = (next.replicas, next.since);
            replicas
        });
        looks.collect()
    }

    #[test]
    fn a_rush_is_met_at_once_with_a_quarter_to_spare() {
        assert_eq!(run(BOUNDS, 2, [(0, true), (3200, true), (3201, true), (16_000, true)]), [2, 2, 3, 10]);
        assert_eq!(run(BOUNDS, 2, [(1 << 60, true)]), [20]);
        assert_eq!(run(BOUNDS, 2, [(8000, false)]), [5], "what was heard is enough to want more");
    }

    #[test]
    fn a_lull_is_no_reason_and_calm_takes_one_a_minute() {
        let calm = |looks: usize| vec![(0, true); looks];
        assert!(run(BOUNDS, 5, calm(20)).iter().all(|it| *it == 5));
        let went = run(BOUNDS, 5, calm(40));
        assert_eq!((went[20], went[23], went[24], went[28], went[39]), (4, 4, 3, 2, 2));
        let busy = [calm(19), vec![(8000, true)], calm(19)].concat();
        assert!(run(BOUNDS, 5, busy).iter().all(|it| *it == 5));
        let deaf = [calm(19), vec![(0, false)], calm(19)].concat();
        assert!(run(BOUNDS, 5, deaf).iter().all(|it| *it == 5), "who is not heard may have viewers");
    }

    proptest! {
        #[test]
        fn it_is_never_out_of_bounds_never_too_few_and_never_drops_more_than_one(
            (min, max) in (1u32..50).prop_flat_map(|min| (Just(min), min..60)),
            sessions in 1u32..5000,
            first in 0u32..100,
            loads in prop::collection::vec((0u64..200_000, prop::bool::weighted(0.9)), 1..200),
        ) {
            let bounds = Bounds { min, max, sessions };
            let mut before = first.max(min).min(max);
            for (now, (load, _)) in run(bounds, first, loads.clone()).into_iter().zip(&loads) {
                prop_assert!((min..=max).contains(&now));
                prop_assert!(now >= enough(bounds, *load), "{} of {}", now, load);
                prop_assert!(now + 1 >= before, "{} after {}", now, before);
                before = now;
            }
        }

        #[test]
        fn what_stays_the_same_comes_to_rest_at_what_is_enough(
            first in 1u32..40, load in 0u64..60_000,
        ) {
            let last = *run(BOUNDS, first, vec![(load, true); 400]).last().unwrap();
            prop_assert_eq!(last, enough(BOUNDS, load));
        }
    }
}

//! What goes wrong again and again is said once, and not tried all the time. Pure.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::key::ClusterKey;

/// Waits after something failed: twice as long each time.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// What is remembered, at most.
const MOST: usize = 10_000;

/// How long to wait after so many failures before this one. Where somebody else was quicker (`failed` is false), it is
/// tried again at once for the first time.
pub fn pause(before: u32, failed: bool) -> Duration {
    let Some(doublings) = (if failed { Some(before) } else { before.checked_sub(1) }) else {
        return Duration::ZERO;
    };
    SHORTEST.saturating_mul(1 << doublings.min(10)).min(LONGEST)
}

/// What is wrong now.
#[derive(Debug, Default)]
pub struct Troubles(Mutex<HashMap<(ClusterKey, String), String>>);

impl Troubles {
    /// Something failed; whether that is news.
    pub fn failed(&self, cluster: &ClusterKey, what: &str, why: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        let before = all.insert((cluster.clone(), what.to_owned()), why.to_owned());
        before.as_deref() != Some(why)
    }

    /// It went well; whether that is news.
    pub fn went(&self, cluster: &ClusterKey, what: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !all.is_empty() && all.remove(&(cluster.clone(), what.to_owned())).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let millis = |failed| [0, 1, 2, 5, 6, 99].map(|before| pause(before, failed).as_millis());
        assert_eq!(millis(true), [100, 200, 400, 3200, 5000, 5000]);
        assert_eq!(millis(false), [0, 100, 200, 1600, 3200, 5000]);
    }

    #[test]
    fn an_error_is_said_when_it_is_another_one() {
        let (troubles, cluster) = (Troubles::default(), ClusterKey::new("video", "default"));
        assert!(!troubles.went(&cluster, "a"));
        let said = ["x", "x", "y", "x"].map(|why| troubles.failed(&cluster, "a", why));
        assert_eq!(said, [true, false, true, true]);
        assert!(troubles.failed(&cluster, "b", "x"));
        assert!(troubles.went(&cluster, "a") && !troubles.went(&cluster, "a"));
        assert!(troubles.failed(&cluster, "a", "x"));
    }
}

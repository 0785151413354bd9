//! Which edge a viewer is sent to, and when one more is too many.

use std::{cmp::Ordering, time::Duration};

use thiserror::Error;

/// What one pod may carry; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Sessions (`Cluster.spec.limits.connections`).
    pub sessions: u32,
    /// Bits per second, of all together.
    pub bits_per_second: u64,
}

/// What one pod carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Sessions.
    pub sessions: u32,
    /// Bits per second.
    pub bits_per_second: u64,
}

/// A balancer that viewers can be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge<N> {
    /// Its name or address.
    pub name: N,
    /// What it said it carries.
    pub load: Load,
    /// Sent there since it said so.
    pub sent: Load,
    /// What it may carry.
    pub limits: Limits,
    /// Whether it takes viewers: it is ready and does not drain.
    pub open: bool,
}

/// There is no room. Who is in stays as he is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no room for another viewer: {limit} at their limit; again in {} s", retry_after.as_secs())]
pub struct Full {
    /// What is at its limit.
    pub limit: &'static str,
    /// For `Retry-After`: whole seconds, different for different viewers, so that not all come back at once.
    pub retry_after: Duration,
}

/// The seconds within which refused viewers are asked to come again.
const RETRY: std::ops::RangeInclusive<u64> = 2..=10;

/// Whether `wants` more fits. `salt` is anything that differs between viewers.
pub fn admit(load: Load, wants: Load, limits: Limits, salt: u64) -> Result<(), Full> {
    let sessions = u64::from(load.sessions) + u64::from(wants.sessions);
    let bits = load.bits_per_second.saturating_add(wants.bits_per_second);
    let limit = if limits.sessions > 0 && sessions > u64::from(limits.sessions) {
        "sessions"
    } else if limits.bits_per_second > 0 && bits > limits.bits_per_second {
        "bits per second"
    } else {
        return Ok(());
    };
    let spread = RETRY.end() - RETRY.start() + 1;
    Err(Full { limit, retry_after: Duration::from_secs(RETRY.start() + salt % spread) })
}

impl<N> Edge<N> {
    fn total(&self) -> Load {
        Load {
            sessions: self.load.sessions.saturating_add(self.sent.sessions),
            bits_per_second: self.load.bits_per_second.saturating_add(self.sent.bits_per_second),
        }
    }

    /// The fuller of its two shares, as a fraction. Without a limit, shares are of the most that the numbers can say.
    fn share(&self) -> (u128, u128) {
        let total = self.total();
        let sessions = (u128::from(total.sessions), u128::from(or_max(self.limits.sessions, u32::MAX)));
        let bits =
            (u128::from(total.bits_per_second), u128::from(or_max(self.limits.bits_per_second, u64::MAX)));
        if less(sessions, bits) == Ordering::Less { bits } else { sessions }
    }
}

fn or_max<T: PartialEq + Default>(limit: T, max: T) -> T {
    if limit == T::default() { max } else { limit }
}

fn less(a: (u128, u128), b: (u128, u128)) -> Ordering {
    (a.0 * b.1).cmp(&(b.0 * a.1))
}

/// The least loaded open edge with room for `wants`, by the fuller of its shares of sessions and bandwidth, then by
/// sessions; among equals `salt` decides. The caller adds what it sends to the edge's `sent`.
pub fn least_loaded<N>(edges: &[Edge<N>], wants: Load, salt: u64) -> Result<&Edge<N>, Full> {
    let mut why = None;
    let mut best: Vec<&Edge<N>> = Vec::new();
    for edge in edges.iter().filter(|edge| edge.open) {
        if let Err(full) = admit(edge.total(), wants, edge.limits, salt) {
            why = why.or(Some(full));
            continue;
        }
        let order = best.first().map_or(Ordering::Less, |first| {
            less(edge.share(), first.share()).then(edge.total().sessions.cmp(&first.total().sessions))
        });
        match order {
            Ordering::Less => best = vec![edge],
            Ordering::Equal => best.push(edge),
            Ordering::Greater => {}
        }
    }
    let none = Full { limit: "open edges", retry_after: Duration::from_secs(*RETRY.start()) };
    let chosen = best.get(usize::try_from(salt).unwrap_or(0) % best.len().max(1));
    chosen.copied().ok_or(why.unwrap_or(none))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Load = Load { sessions: 1, bits_per_second: 4_000_000 };

    fn edge(name: &'static str, sessions: u32, megabits: u64) -> Edge<&'static str> {
        Edge {
            name,
            load: Load { sessions, bits_per_second: megabits * 1_000_000 },
            sent: Load::default(),
            limits: Limits { sessions: 100, bits_per_second: 1_000_000_000 },
            open: true,
        }
    }

    #[test]
    fn the_fuller_share_counts() {
        let edges = [edge("many", 50, 100), edge("wide", 10, 600), edge("right", 40, 300)];
        assert_eq!(least_loaded(&edges, ONE, 0).unwrap().name, "right");
    }

    #[test]
    fn those_that_drain_or_are_full_get_nobody() {
        let mut edges =
            [edge("draining", 0, 0), edge("full", 100, 10), edge("narrow", 1, 998), edge("ok", 90, 900)];
        edges[0].open = false;
        assert_eq!(least_loaded(&edges, ONE, 0).unwrap().name, "ok");
        let full = least_loaded(&edges[..2], ONE, 5).unwrap_err();
        assert_eq!((full.limit, full.retry_after.as_secs()), ("sessions", 7));
        assert_eq!(least_loaded(&edges[2..3], ONE, 0).unwrap_err().limit, "bits per second");
        assert_eq!(least_loaded(&edges[..1], ONE, 0).unwrap_err().limit, "open edges");
    }

    #[test]
    fn what_was_sent_since_the_last_report_counts_so_that_nobody_is_overrun() {
        let mut edges = [edge("a", 10, 0), edge("b", 20, 0), edge("c", 30, 0)];
        for salt in 0..60 {
            let name = least_loaded(&edges, Load { sessions: 1, bits_per_second: 0 }, salt).unwrap().name;
            edges.iter_mut().find(|edge| edge.name == name).unwrap().sent.sessions += 1;
        }
        assert!(edges.iter().all(|edge| edge.total().sessions == 40), "{edges:?}");
    }

    #[test]
    fn refused_viewers_are_spread() {
        let limits = Limits { sessions: 1, bits_per_second: 0 };
        let seconds = (0..100).map(|salt| admit(ONE, ONE, limits, salt).unwrap_err().retry_after.as_secs());
        let seconds: std::collections::BTreeSet<u64> = seconds.collect();
        assert_eq!(seconds, RETRY.collect());
        assert!(admit(Load::default(), ONE, limits, 0).is_ok());
        let most = Load { sessions: u32::MAX, bits_per_second: u64::MAX };
        assert!(admit(most, ONE, Limits::default(), 0).is_ok(), "no limit");
    }
}

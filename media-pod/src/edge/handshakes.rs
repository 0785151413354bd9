//! Connections that are no links yet: how many there may be of one address, and how often one that failed is spoken of.
//! Pure.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Of one address at once. A server pod needs one.
const EACH: usize = 32;
/// Between two complaints about one address.
const QUIET: Duration = Duration::from_secs(10);
/// Addresses that are complained about within that time.
const MOST: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    under_way: HashMap<IpAddr, usize>,
    said: HashMap<IpAddr, Instant>,
}

impl Handshakes {
    /// Another one from there; false: there are enough.
    pub fn begin(&mut self, from: IpAddr) -> bool {
        let count = self.under_way.entry(from).or_default();
        let room = *count < EACH;
        *count += usize::from(room);
        room
    }

    /// One from there is over, however.
    pub fn end(&mut self, from: IpAddr) {
        if let Some(count) = self.under_way.get_mut(&from) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.under_way.remove(&from);
            }
        }
    }

    /// Whether it is to be said now that one from there has failed.
    pub fn may_say(&mut self, from: IpAddr, now: Instant) -> bool {
        if self.said.len() >= MOST {
            self.said.retain(|_, at| now.saturating_duration_since(*at) < QUIET);
        }
        let known = self.said.get(&from);
        let quiet = known.is_some_and(|at| now.saturating_duration_since(*at) < QUIET);
        if quiet || (known.is_none() && self.said.len() >= MOST) {
            return false;
        }
        self.said.insert(from, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn no_address_takes_the_room_of_others() {
        let mut shakes = Handshakes::default();
        assert!((0..EACH).all(|_| shakes.begin(ONE)));
        assert!(!shakes.begin(ONE) && shakes.begin(TWO));
        shakes.end(ONE);
        assert!(shakes.begin(ONE) && !shakes.begin(ONE));
        (0..EACH).for_each(|_| shakes.end(ONE));
        shakes.end(TWO);
        assert!(shakes.under_way.is_empty());
    }

    #[test]
    fn a_flood_is_spoken_of_now_and_then() {
        let (mut shakes, now) = (Handshakes::default(), Instant::now());
        assert!(shakes.may_say(ONE, now) && !shakes.may_say(ONE, now) && shakes.may_say(TWO, now));
        assert!(shakes.may_say(ONE, now + QUIET));
        let all = (0..2000_u32).filter(|n| shakes.may_say(IpAddr::from(n.to_be_bytes()), now + QUIET));
        assert!(all.count() <= MOST);
        assert!(shakes.said.len() <= MOST);
    }
}

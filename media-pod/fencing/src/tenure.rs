//! What a server pod may do with its grants.
//!
//! It serves what it was granted as long as it lives: balancers take care that no viewer sees it when it is not the
//! owner any more. What must be done by one alone (pushes, exclusive pulls) it does only while it is cleared, and while
//! a beat that it sent not long ago was vouched for. Only its own beats count, coming back: it may hear somebody who
//! does not hear it.

use std::{collections::BTreeMap, time::Duration};

use thiserror::Error;

use crate::{
    epoch::Epoch,
    grant::{Grant, GrantError, SignedGrant},
    id::{BalancerId, FeedUid, Holder},
    keys::Verify,
    time::Time,
};

/// Who answered a beat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The operator's leader; a replica that does not lead vouches for nothing.
    Leader,
    /// A balancer.
    Balancer {
        /// Which.
        name: BalancerId,
        /// How old the newest of its own beats is that the leader vouched for, counted from its sending; nothing if the
        /// leader never did since the balancer started.
        anchor: Option<Duration>,
    },
}

/// The answer to a beat.
#[derive(Clone, Debug)]
pub struct Vouch {
    /// Who answers.
    pub by: Witness,
    /// When the beat was sent, by the pod's own clock: the answer brings the beat's own stamp back.
    pub sent: Time,
    /// The feeds named in the beat in whose epochs the witness knows of nothing against the pod.
    pub covers: Vec<(FeedUid, Epoch)>,
}

/// How a pod stands to a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The feed.
    pub feed: FeedUid,
    /// The epoch that it was granted.
    pub epoch: Epoch,
    /// Whether it was told that nobody before it does exclusive work any more.
    pub cleared: bool,
}

/// A grant that is refused by the pod that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TenureError {
    /// It does not hold.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A newer one is known.
    #[error("epoch {offered} comes after {known} is known")]
    Older {
        /// What was offered.
        offered: Epoch,
        /// The newest known.
        known: Epoch,
    },
}

/// Whether exclusive work may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusive {
    /// Until then, if nobody vouches before.
    Until(Time),
    /// Not: another owns the feed, or nobody does.
    NotOwner,
    /// Not yet: the owner before may be at it.
    NotCleared,
    /// Not now: nobody has vouched for it for too long.
    Alone,
}

#[derive(Clone, Debug)]
struct Held {
    grant: SignedGrant,
    cleared: bool,
    /// The newest beat that the leader vouched for, by itself or through a balancer.
    anchored: Option<Time>,
    /// The newest beat that each balancer vouched for.
    balancers: BTreeMap<BalancerId, Time>,
}

/// The grants of one run of a pod's bus.
#[derive(Clone, Debug)]
pub struct Tenure {
    holder: Holder,
    lasts: Duration,
    balancers: usize,
    held: BTreeMap<FeedUid, Held>,
    /// Feeds that others own in these epochs.
    over: BTreeMap<FeedUid, Epoch>,
}

impl Tenure {
    /// Of `holder`, which stops exclusive work when nobody has vouched for it for `tenure`.
    pub fn new(holder: Holder, tenure: Duration) -> Self {
        Self { holder, lasts: tenure, balancers: 0, held: BTreeMap::new(), over: BTreeMap::new() }
    }

    /// Who it is of.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// So many balancers there are.
    pub fn know_balancers(&mut self, count: usize) {
        self.balancers = count;
    }

    fn newest(&self, feed: &FeedUid) -> Option<Epoch> {
        let held = self.held.get(feed).map(|held| held.grant.claim().epoch);
        held.max(self.over.get(feed).copied())
    }

    /// The operator grants a feed. Whether that is news.
    pub fn granted(&mut self, grant: &SignedGrant, keys: &impl Verify) -> Result<bool, TenureError> {
        let Grant { feed, epoch, .. } = keys.verify(grant)?;
        grant.claim().is_for(feed, &self.holder, *epoch)?;
        let known = self.newest(feed);
        if let Some(known) = known.filter(|known| known > epoch) {
            return Err(TenureError::Older { offered: *epoch, known });
        }
        if self.over.contains_key(feed) && known == Some(*epoch) {
            // Another was said to own it in this very epoch.
            return Err(TenureError::Older { offered: *epoch, known: *epoch });
        }
        if let Some(held) = self.held.get_mut(feed).filter(|held| held.grant.claim().epoch == *epoch) {
            held.grant = grant.clone();
            return Ok(false);
        }
        self.over.remove(feed);
        let held = Held { grant: grant.clone(), cleared: false, anchored: None, balancers: BTreeMap::new() };
        self.held.insert(feed.clone(), held);
        Ok(true)
    }

    /// The operator says that nobody before does exclusive work of a feed any more. Whether that changes anything.
    pub fn clear(&mut self, feed: &FeedUid, epoch: Epoch) -> bool {
        match self.held.get_mut(feed) {
            Some(held) if held.grant.claim().epoch == epoch && !held.cleared => {
                held.cleared = true;
                true
            }
            _ => false,
        }
    }

    /// The operator, or a balancer that shows the newer grant, says that another owns a feed in this epoch. Whether
    /// something was held: it is to be stopped, all of it, before the next beat says so.
    pub fn revoked(&mut self, newer: &SignedGrant, keys: &impl Verify) -> Result<bool, GrantError> {
        let Grant { feed, holder, epoch } = keys.verify(newer)?;
        if *holder == self.holder || self.newest(feed).is_some_and(|known| known > *epoch) {
            return Ok(false);
        }
        self.over.insert(feed.clone(), *epoch);
        Ok(self.held.remove(feed).is_some())
    }

    /// A beat was answered.
    pub fn vouched(&mut self, vouch: &Vouch, now: Time) {
        // A stamp from the future is none of this pod's.
        if vouch.sent > now {
            return;
        }
        for (feed, epoch) in &vouch.covers {
            let Some(held) = self.held.get_mut(feed).filter(|held| held.grant.claim().epoch == *epoch) else {
                continue;
            };
            match &vouch.by {
                Witness::Leader => held.anchored = held.anchored.max(Some(vouch.sent)),
                Witness::Balancer { anchor: None, .. } => {}
                Witness::Balancer { name, anchor: Some(age) } => {
                    held.anchored = held.anchored.max(Some(vouch.sent - *age));
                    let newest = held.balancers.entry(name.clone()).or_insert(vouch.sent);
                    *newest = vouch.sent.max(*newest);
                }
            }
        }
    }

    /// Whether exclusive work may be done for a feed now.
    pub fn exclusive(&self, feed: &FeedUid, now: Time) -> Exclusive {
        let Some(held) = self.held.get(feed) else {
            return Exclusive::NotOwner;
        };
        if !held.cleared {
            return Exclusive::NotCleared;
        }
        match held.anchored.max(self.by_most_balancers(held)) {
            Some(since) if since + self.lasts > now => Exclusive::Until(since + self.lasts),
            _ => Exclusive::Alone,
        }
    }

    /// The newest time at which more than half of all balancers vouched, for when there is no leader.
    fn by_most_balancers(&self, held: &Held) -> Option<Time> {
        let mut times: Vec<Time> = held.balancers.values().copied().collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.get(self.balancers / 2).copied()
    }

    /// When exclusive work has to be looked at again, if nothing is heard until then.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        let until = |feed| match self.exclusive(feed, now) {
            Exclusive::Until(time) => Some(time),
            _ => None,
        };
        self.held.keys().filter_map(until).min()
    }

    /// The grant of a feed, to announce it with.
    pub fn grant(&self, feed: &FeedUid) -> Option<&SignedGrant> {
        self.held.get(feed).map(|held| &held.grant)
    }

    /// What it holds, for a beat.
    pub fn holdings(&self) -> impl Iterator<Item = Holding> {
        self.held.iter().map(|(feed, held)| Holding {
            feed: feed.clone(),
            epoch: held.grant.claim().epoch,
            cleared: held.cleared,
        })
    }

    /// Feeds that it has stopped because another owns them, and in which epoch, for a beat: it will never again take a
    /// grant of an older one.
    pub fn over(&self) -> impl Iterator<Item = (&FeedUid, Epoch)> {
        self.over.iter().map(|(feed, epoch)| (feed, *epoch))
    }

    /// Forgets a feed that is there no more.
    pub fn forget(&mut self, feed: &FeedUid) {
        self.held.remove(feed);
        self.over.remove(feed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Keyring, Signer};

    const TENURE: Duration = Duration::from_secs(10);

    struct Pod {
        tenure: Tenure,
        signer: Signer,
        keys: Keyring,
        feed: FeedUid,
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    impl Pod {
        fn new(balancers: usize) -> Self {
            let signer = Signer::from_seed(&[7; 32]).unwrap();
            let mut keys = Keyring::default();
            keys.add(signer.public()).unwrap();
            let mut tenure = Tenure::new("p_1".parse().unwrap(), TENURE);
            tenure.know_balancers(balancers);
            Self { tenure, signer, keys, feed: "f".parse().unwrap() }
        }

        fn sign(&self, holder: &str, epoch: u64) -> SignedGrant {
            let holder = holder.parse().unwrap();
            self.signer.sign(&Grant { feed: self.feed.clone(), holder, epoch: Epoch::new(epoch).unwrap() })
        }

        fn grant(&mut self, epoch: u64) -> Result<bool, TenureError> {
            let grant = self.sign("p_1", epoch);
            self.tenure.granted(&grant, &self.keys)
        }

        fn vouch(&mut self, by: Witness, sent: u64, epoch: u64, now: u64) {
            let covers = vec![(self.feed.clone(), Epoch::new(epoch).unwrap())];
            self.tenure.vouched(&Vouch { by, sent: at(sent), covers }, at(now));
        }

        fn clear(&mut self, epoch: u64) -> bool {
            self.tenure.clear(&self.feed.clone(), Epoch::new(epoch).unwrap())
        }

        fn at(&self, now: u64) -> Exclusive {
            self.tenure.exclusive(&self.feed, at(now))
        }
    }

    fn balancer(name: &str, anchor: Option<u64>) -> Witness {
        Witness::Balancer { name: name.parse().unwrap(), anchor: anchor.map(Duration::from_secs) }
    }

    #[test]
    fn exclusive_work_needs_a_grant_a_clearance_and_a_voucher() {
        let mut pod = Pod::new(2);
        assert_eq!(pod.at(1), Exclusive::NotOwner);
        assert_eq!(pod.grant(3), Ok(true));
        assert_eq!(pod.grant(3), Ok(false));
        assert_eq!(pod.at(1), Exclusive::NotCleared);
        assert!(!pod.clear(2) && pod.clear(3));
        assert_eq!(pod.at(1), Exclusive::Alone);
        pod.vouch(Witness::Leader, 5, 2, 6);
        assert_eq!(pod.at(6), Exclusive::Alone, "of another epoch");
        pod.vouch(Witness::Leader, 5, 3, 4);
        assert_eq!(pod.at(6), Exclusive::Alone, "from the future");
        pod.vouch(Witness::Leader, 5, 3, 6);
        assert_eq!(pod.at(6), Exclusive::Until(at(15)), "counted from the beat's sending");
        assert_eq!(pod.tenure.deadline(at(6)), Some(at(15)));
        assert_eq!(pod.at(15), Exclusive::Alone);
    }

    #[test]
    fn one_balancer_vouches_as_long_as_the_leader_vouches_for_it() {
        let mut pod = Pod::new(3);
        pod.grant(1).unwrap();
        pod.clear(1);
        pod.vouch(balancer("a", None), 20, 1, 20);
        assert_eq!(pod.at(20), Exclusive::Alone, "a balancer that has not met the leader");
        pod.vouch(balancer("a", Some(4)), 20, 1, 20);
        assert_eq!(pod.at(20), Exclusive::Until(at(26)));
        pod.vouch(balancer("a", Some(14)), 30, 1, 30);
        assert_eq!(pod.at(30), Exclusive::Alone, "cut off together with one balancer");
    }

    #[test]
    fn without_a_leader_more_than_half_of_the_balancers_vouch() {
        let mut pod = Pod::new(3);
        pod.grant(1).unwrap();
        pod.clear(1);
        pod.vouch(balancer("a", Some(100)), 200, 1, 200);
        assert_eq!(pod.at(200), Exclusive::Alone);
        pod.vouch(balancer("b", Some(100)), 198, 1, 200);
        assert_eq!(pod.at(200), Exclusive::Until(at(208)));
        let mut pair = Pod::new(2);
        pair.grant(1).unwrap();
        pair.clear(1);
        pair.vouch(balancer("a", Some(100)), 200, 1, 200);
        assert_eq!(pair.at(200), Exclusive::Alone, "one of two is not more than half");
        pair.vouch(balancer("b", Some(100)), 200, 1, 200);
        assert_eq!(pair.at(200), Exclusive::Until(at(210)));
    }

    #[test]
    fn who_was_revoked_takes_no_older_grant_however_late_it_comes() {
        let mut pod = Pod::new(0);
        pod.grant(2).unwrap();
        let newer = pod.sign("q_1", 4);
        assert_eq!(pod.tenure.revoked(&newer, &pod.keys), Ok(true));
        assert_eq!(pod.at(0), Exclusive::NotOwner);
        assert_eq!(pod.tenure.over().map(|(_, epoch)| epoch.get()).collect::<Vec<_>>(), [4]);
        assert!(matches!(pod.grant(3), Err(TenureError::Older { .. })));
        assert!(matches!(pod.grant(4), Err(TenureError::Older { .. })));
        assert_eq!(pod.grant(5), Ok(true));
        assert_eq!(pod.tenure.over().count(), 0);
        assert_eq!(pod.tenure.revoked(&newer, &pod.keys), Ok(false), "late");
    }

    #[test]
    fn a_grant_of_another_boot_or_by_another_key_is_refused() {
        let mut pod = Pod::new(0);
        let other = pod.sign("p_2", 1);
        assert!(pod.tenure.granted(&other, &pod.keys).unwrap_err().to_string().contains("boot ID is 2; 1"));
        let alien = Signer::from_seed(&[8; 32]).unwrap().sign(pod.sign("p_1", 1).claim());
        assert!(pod.tenure.granted(&alien, &pod.keys).is_err());
        assert!(pod.tenure.revoked(&alien, &pod.keys).is_err());
    }
}

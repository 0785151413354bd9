use super::*;
use crate::keys::{Keyring, Signer};

struct Bench {
    directory: Directory,
    signer: Signer,
    keys: Keyring,
    now: Time,
}

impl Bench {
    fn new() -> Self {
        let signer = Signer::from_seed(&[7; 32]).unwrap();
        let mut keys = Keyring::default();
        keys.add(signer.public()).unwrap();
        Self { directory: Directory::default(), signer, keys, now: Time::from_millis(1000) }
    }

    fn grant(&self, feed: &str, holder: &str, epoch: u64) -> SignedGrant {
        self.signer.sign(&Grant {
            feed: feed.parse().unwrap(),
            holder: holder.parse().unwrap(),
            epoch: Epoch::new(epoch).unwrap(),
        })
    }

    fn say(&self, path: &str, feed: &str, holder: &str, epoch: u64, link: u64) -> Announcement {
        Announcement {
            path: path.into(),
            feed: feed.parse().unwrap(),
            epoch: Epoch::new(epoch).unwrap(),
            grant: self.grant(feed, holder, epoch),
            link: LinkId(link),
            from: holder.parse().unwrap(),
        }
    }

    fn announce(
        &mut self,
        path: &str,
        feed: &str,
        holder: &str,
        epoch: u64,
        link: u64,
    ) -> Result<Change, Refused> {
        let said = self.say(path, feed, holder, epoch, link);
        self.directory.announce(said, &self.keys, self.now)
    }

    fn fence(&mut self, holder: &str, epoch: u64, frames: bool) -> Vec<Arc<str>> {
        let grant = self.grant("f", holder, epoch);
        self.directory.fence(&grant, frames, &self.keys, self.now).unwrap()
    }

    fn admits(&self, path: &str, link: u64, epoch: u64) -> bool {
        self.directory.admit(path, LinkId(link), Epoch::new(epoch).unwrap()).is_ok()
    }
}

#[test]
fn the_highest_epoch_wins_and_older_frames_are_refused() {
    let mut bench = Bench::new();
    assert_eq!(bench.announce("/a", "f", "p_1", 1, 1), Ok(Change::Taken { before: None }));
    assert_eq!(bench.announce("/a", "f", "p_1", 1, 1), Ok(Change::Known));
    assert!(bench.admits("/a", 1, 1));
    assert!(matches!(
        bench.announce("/a", "f", "q_1", 2, 2),
        Ok(Change::Taken { before: Some(owner) }) if owner.epoch == Epoch::FIRST
    ));
    assert!(bench.admits("/a", 2, 2));
    assert!(!bench.admits("/a", 1, 1), "the old owner's frames");
    assert!(!bench.admits("/a", 1, 2), "the new epoch over the old link");
    assert!(!bench.admits("/a", 2, 3), "an epoch not yet announced");
    assert!(matches!(bench.announce("/a", "f", "p_1", 1, 3), Err(Refused::Older { .. })));
    assert!(matches!(bench.announce("/b", "f", "p_1", 1, 3), Err(Refused::Older { .. })), "another path too");
}

#[test]
fn an_orphan_waits_for_an_owner_as_new_or_newer() {
    let mut bench = Bench::new();
    bench.announce("/a", "f", "q_1", 2, 1).unwrap();
    assert_eq!(bench.directory.link_lost(LinkId(1), bench.now), [("/a".into(), None)]);
    assert!(matches!(bench.directory.owner("/a").unwrap().state, OwnerState::Orphan { .. }));
    assert!(!bench.admits("/a", 1, 2), "what was on its way when the link went");
    assert!(bench.announce("/a", "f", "p_1", 1, 2).is_err());
    assert_eq!(bench.announce("/a", "f", "q_1", 2, 3), Ok(Change::Relinked));
    bench.directory.link_lost(LinkId(3), bench.now);
    assert!(matches!(bench.announce("/a", "f", "r_1", 3, 4), Ok(Change::Taken { before: Some(_) })));
    assert!(bench.directory.link_lost(LinkId(3), bench.now).is_empty());
    assert!(bench.admits("/a", 4, 3));
}

#[test]
fn two_grants_of_one_epoch_are_a_conflict() {
    let mut bench = Bench::new();
    bench.announce("/a", "f", "p_1", 1, 1).unwrap();
    let error = bench.announce("/a", "f", "q_1", 1, 2).unwrap_err();
    assert!(matches!(error, Refused::Conflict { .. }));
    assert!(bench.admits("/a", 1, 1), "the first keeps it");
}

#[test]
fn alien_grants_are_refused_and_the_code_says_why() {
    let mut bench = Bench::new();
    let alien = Signer::from_seed(&[8; 32]).unwrap();
    let mut said = bench.say("/a", "f", "p_1", 1, 1);
    said.grant = alien.sign(said.grant.claim());
    let error = bench.directory.announce(said, &bench.keys, bench.now).unwrap_err();
    assert_eq!((error.code(), bench.directory.owner("/a")), (0xf2, None));

    let mut stolen = bench.say("/a", "f", "p_1", 1, 1);
    stolen.from = "q_1".parse().unwrap();
    let error = bench.directory.announce(stolen, &bench.keys, bench.now).unwrap_err();
    assert!(error.to_string().contains("pod UID is p; q would be right"), "{error}");

    let mut raised = bench.say("/a", "f", "p_1", 1, 1);
    raised.epoch = Epoch::new(2).unwrap();
    raised.grant.grant.epoch = raised.epoch;
    let error = bench.directory.announce(raised, &bench.keys, bench.now).unwrap_err();
    assert_eq!((error.code(), bench.directory.owner("/a")), (0xf1, None));
}

#[test]
fn another_feed_has_a_path_only_when_it_is_let_go() {
    let mut bench = Bench::new();
    bench.announce("/a", "f", "p_1", 5, 1).unwrap();
    assert_eq!(bench.announce("/a", "g", "q_1", 1, 2), Ok(Change::Waiting));
    assert!(bench.admits("/a", 1, 5) && !bench.admits("/a", 2, 1));
    let next = bench.directory.withdraw("/a", LinkId(1)).unwrap();
    assert_eq!(next.feed.as_str(), "g");
    assert!(bench.admits("/a", 2, 1));

    assert_eq!(bench.announce("/a", "f", "p_1", 5, 1), Ok(Change::Waiting));
    bench.announce("/b", "f", "r_1", 6, 3).unwrap();
    assert_eq!(bench.directory.withdraw("/a", LinkId(2)), None, "who waited has become too old");
    assert_eq!(bench.directory.withdraw("/nowhere", LinkId(2)), None);
}

#[test]
fn what_is_handed_over_waits_for_the_new_owner_and_who_waits_for_the_path_has_it() {
    let mut bench = Bench::new();
    bench.announce("/a", "f", "p_1", 5, 1).unwrap();
    assert_eq!(bench.directory.hand_over("/a", LinkId(2), bench.now), None, "it is not this link's");
    assert!(bench.admits("/a", 1, 5));
    assert_eq!(bench.directory.hand_over("/a", LinkId(1), bench.now), None);
    let owner = bench.directory.owner("/a").unwrap();
    assert!(matches!(owner.state, OwnerState::Orphan { .. }) && !bench.admits("/a", 1, 5));
    bench.announce("/a", "f", "q_1", 6, 2).unwrap();
    assert!(bench.admits("/a", 2, 6));

    bench.announce("/a", "g", "r_1", 1, 3).unwrap();
    let next = bench.directory.hand_over("/a", LinkId(2), bench.now).unwrap();
    assert_eq!(next.feed.as_str(), "g");
    assert_eq!(bench.directory.hand_over("/nowhere", LinkId(2), bench.now), None);
}

#[test]
fn the_operators_word_cuts_frames_only_if_it_says_so() {
    let mut bench = Bench::new();
    bench.announce("/a", "f", "p_1", 1, 1).unwrap();
    let feed = "f".parse().unwrap();
    assert!(!bench.directory.vouches(&feed, Epoch::FIRST), "nobody has told it anything");
    bench.fence("p_1", 1, false);
    assert!(bench.directory.vouches(&feed, Epoch::FIRST));
    assert!(bench.fence("q_1", 2, false).is_empty());
    assert!(!bench.directory.vouches(&feed, Epoch::FIRST));
    assert!(bench.admits("/a", 1, 1), "viewers have something until the new owner is there");
    assert_eq!(bench.fence("q_1", 2, true), ["/a".into()]);
    assert!(!bench.admits("/a", 1, 1));
    assert!(bench.announce("/a", "f", "p_1", 1, 5).is_err());
    assert!(bench.announce("/a", "f", "q_1", 2, 6).is_ok());
    assert!(bench.fence("p_1", 1, true).is_empty(), "late words change nothing");
    assert!(bench.admits("/a", 6, 2));
    assert_eq!(bench.directory.floors().map(|(_, floor)| floor.get()).collect::<Vec<_>>(), [2]);
}

#[test]
fn memory_is_bounded_and_old_orphans_go() {
    let mut bench = Bench::new();
    bench.directory = Directory::new(Bounds { paths: 2, feeds: 2, ..Bounds::default() });
    bench.announce("/a", "f", "p_1", 1, 1).unwrap();
    bench.announce("/b", "g", "p_1", 1, 1).unwrap();
    assert_eq!(bench.announce("/c", "f", "p_1", 1, 1).unwrap_err().code(), 0x101);
    assert!(bench.announce("/b", "g", "p_1", 2, 1).is_ok(), "what is known goes on");
    bench.directory.link_lost(LinkId(1), bench.now);
    bench.now = bench.now + Duration::from_secs(3700);
    assert_eq!(bench.directory.expire(bench.now).len(), 2);
    assert!(bench.announce("/a", "f", "p_1", 1, 2).is_ok());
    assert!(
        bench.announce("/b", "g", "p_1", 1, 2).is_err(),
        "the path is forgotten, its feed's epoch is not"
    );
    let long = "x".repeat(MAX_PATH + 1);
    assert_eq!(bench.announce(&long, "f", "p_1", 1, 2), Err(Refused::Path(MAX_PATH + 1)));
}

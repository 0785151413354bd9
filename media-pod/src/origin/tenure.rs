//! What the operator grants this start of the media pod, and takes away again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use millrace_crds::Resolved;
use millrace_fencing::{
    Epoch, FeedUid, Holder, SignedGrant, Time,
    tenure::{Exclusive, Tenure, Vouch, Witness},
};
use millrace_report::message::{Held, Ownership, Vouched};
use tokio::sync::watch;

use super::grants::{Granted, Grants, Owned, decode, named};
use crate::{linking::Trusted, pod::Pod};

/// See `docs/failover.md`: all of a Cluster use the same.
const TENURE: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Owning {
    pod: Arc<Pod>,
    trust: Arc<Trusted>,
    grants: Grants,
    state: Mutex<State>,
    /// Counts what is to be told the operator at once.
    changes: watch::Sender<u64>,
}

struct State {
    tenure: Tenure,
    /// What the configuration calls each feed that was granted here, or taken away.
    names: BTreeMap<Owned, FeedUid>,
    /// What the operator said last.
    said: Option<Arc<Ownership>>,
    /// What was wrong with that.
    wrong: BTreeSet<String>,
}

impl Owning {
    /// Nothing yet; `grants` are kept up to date.
    pub fn new(holder: Holder, pod: Arc<Pod>, trust: Arc<Trusted>, grants: Grants) -> Self {
        let tenure = Tenure::new(holder, TENURE);
        let state = State { tenure, names: BTreeMap::new(), said: None, wrong: BTreeSet::new() };
        Self { pod, trust, grants, state: Mutex::new(state), changes: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operator says what is owned here.
    pub fn take(&self, said: Arc<Ownership>) {
        self.lock().said = Some(said);
        self.look();
    }

    /// Looks once more at what was said, after other keys or another configuration came.
    pub fn look(&self) {
        let resolved = self.pod.resolved();
        let mut state = self.lock();
        let before = (state.holdings(), state.over());
        if let Some(said) = state.said.clone() {
            state.take(&said, &self.trust, |owned| is_configured(&resolved, owned));
        }
        let granted = state.granted();
        let another = before != (state.holdings(), state.over());
        drop(state);
        self.grants.set(granted);
        if another {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// The leader has answered a beat; `now` by the clock that stamps beats.
    pub fn vouched(&self, vouched: &Vouched, now: Time) {
        let covers = vouched
            .covers
            .iter()
            .filter_map(|(feed, epoch)| Some((FeedUid::new(feed).ok()?, Epoch::new(*epoch).ok()?)));
        let vouch =
            Vouch { by: Witness::Leader, sent: Time::from_micros(vouched.sent), covers: covers.collect() };
        self.lock().tenure.vouched(&vouch, now);
    }

    /// So many balancers there are.
    pub fn know_balancers(&self, count: usize) {
        self.lock().tenure.know_balancers(count);
    }

    /// Whether exclusive work may be done for a feed now.
    pub fn exclusive(&self, feed: &FeedUid, now: Time) -> Exclusive {
        self.lock().tenure.exclusive(feed, now)
    }

    /// For a beat: what is held, and what was stopped because others own it.
    pub fn told(&self) -> (Vec<Held>, BTreeMap<String, u64>) {
        let state = self.lock();
        (state.holdings(), state.over())
    }

    /// How many feeds are held.
    pub fn held(&self) -> usize {
        self.lock().tenure.holdings().count()
    }

    /// Counts what is to be told at once.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Follows the configuration and the keys, for ever.
    pub async fn follow(self: Arc<Self>, mut configuration: watch::Receiver<()>) {
        let mut trust = self.trust.watch();
        loop {
            tokio::select! {
                Ok(()) = configuration.changed() => {}
                Ok(()) = trust.changed() => {}
                else => return,
            }
            self.look();
        }
    }
}

impl State {
    /// Takes the whole of it, one by one: what is wrong with one grant is no matter of the others. Only a newer grant of
    /// somebody else takes anything away from what is configured here: one of two operators may be mistaken.
    fn take(&mut self, said: &Ownership, trust: &Trusted, is_configured: impl Fn(&Owned) -> bool) {
        let mut wrong = BTreeSet::new();
        let mut still = BTreeSet::new();
        for one in &said.grants {
            let (owned, grant) = match named(one) {
                Ok(named) => named,
                Err(e) => {
                    wrong.insert(format!("{e:#}"));
                    continue;
                }
            };
            if grant.claim().holder != *self.tenure.holder() {
                tracing::debug!(?owned, holder = %grant.claim().holder, "somebody else's grant");
                continue;
            }
            still.insert(grant.claim().feed.clone());
            match self.tenure.granted(&grant, trust) {
                Ok(news) => self.name(owned, &grant, news),
                Err(e) => drop(wrong.insert(format!("{owned:?}: {e}"))),
            }
        }
        for (feed, epoch) in &said.cleared {
            if let (Ok(feed), Ok(epoch)) = (FeedUid::new(feed), Epoch::new(*epoch)) {
                self.tenure.clear(&feed, epoch);
            }
        }
        for newer in &said.revoked {
            match decode(newer) {
                Ok(newer) => {
                    still.insert(newer.claim().feed.clone());
                    self.revoke(&newer, trust, &mut wrong);
                }
                Err(e) => drop(wrong.insert(format!("revoked: {e:#}"))),
            }
        }
        let tenure = &mut self.tenure;
        self.names.retain(|owned, feed| {
            let stays = still.contains(feed) || is_configured(owned);
            if !stays {
                tenure.forget(feed);
            }
            stays
        });
        for wrong in wrong.difference(&self.wrong) {
            tracing::warn!("the operator's grants: {wrong}");
        }
        self.wrong = wrong;
    }

    fn name(&mut self, owned: Owned, grant: &SignedGrant, news: bool) {
        let feed = grant.claim().feed.clone();
        if news {
            tracing::info!(?owned, %feed, epoch = %grant.claim().epoch, "granted");
        }
        if let Some(before) = self.names.insert(owned, feed.clone())
            && before != feed
        {
            // Another one of the same name.
            self.tenure.forget(&before);
        }
    }

    fn revoke(&mut self, newer: &SignedGrant, trust: &Trusted, wrong: &mut BTreeSet<String>) {
        let claim = newer.claim();
        match self.tenure.revoked(newer, trust) {
            Ok(true) => {
                tracing::info!(feed = %claim.feed, epoch = %claim.epoch, to = %claim.holder, "another has this feed");
            }
            Ok(false) => {}
            Err(e) => drop(wrong.insert(format!("revoked: {e}"))),
        }
    }

    fn granted(&self) -> Granted {
        let mut granted = Granted::default();
        let over: BTreeMap<_, _> = self.tenure.over().collect();
        for (owned, feed) in &self.names {
            if let Some(grant) = self.tenure.grant(feed) {
                granted.held.insert(owned.clone(), grant.clone());
            } else if let Some(epoch) = over.get(feed) {
                granted.over.insert(owned.clone(), *epoch);
            }
        }
        granted
    }

    fn holdings(&self) -> Vec<Held> {
        let held = self.tenure.holdings().map(|held| Held {
            feed: held.feed.to_string(),
            epoch: held.epoch.get(),
            cleared: held.cleared,
        });
        held.collect()
    }

    fn over(&self) -> BTreeMap<String, u64> {
        self.tenure.over().map(|(feed, epoch)| (feed.to_string(), epoch.get())).collect()
    }
}

fn is_configured(resolved: &Resolved, owned: &Owned) -> bool {
    match owned {
        Owned::Feed(name) => resolved.feeds.contains_key(name),
        Owned::Stream(name) => resolved.streams.contains_key(name),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use millrace_fencing::{Grant, Signer};
    use millrace_link::secure::MemberId;
    use millrace_report::link::{Members, NamedGrant};

    use super::*;

    struct Bench {
        state: State,
        signer: Signer,
        trust: Trusted,
    }

    fn trust(signer: &Signer) -> Members {
        let key = MemberId(signer.public().try_into().unwrap()).to_string();
        Members { grant_keys: [("one".to_owned(), key)].into(), ..Members::default() }
    }

    impl Bench {
        fn new() -> Self {
            let signer = Signer::from_seed(&[5; 32]).unwrap();
            let known = Trusted::default();
            known.learn(&trust(&signer)).unwrap();
            let tenure = Tenure::new("p_2".parse().unwrap(), TENURE);
            let state = State { tenure, names: BTreeMap::new(), said: None, wrong: BTreeSet::new() };
            Self { state, signer, trust: known }
        }

        fn signed(&self, uid: &str, holder: &str, epoch: u64) -> String {
            let (feed, holder) = (uid.parse().unwrap(), holder.parse().unwrap());
            let grant = Grant { feed, holder, epoch: Epoch::new(epoch).unwrap() };
            STANDARD.encode(self.signer.sign(&grant).to_bytes())
        }

        fn grant(&self, name: &str, holder: &str, epoch: u64) -> NamedGrant {
            let grant = self.signed(&format!("uid-{name}"), holder, epoch);
            NamedGrant { feed: Some(name.to_owned()), stream: None, grant }
        }

        fn hears(&mut self, grants: Vec<NamedGrant>, revoked: Vec<String>, configured: &[&str]) {
            let said = Ownership { grants, revoked, ..Ownership::default() };
            let configured: Vec<_> = configured.iter().map(|name| Owned::Feed((*name).to_owned())).collect();
            self.state.take(&said, &self.trust, |owned| configured.contains(owned));
        }

        fn held(&self) -> Vec<String> {
            self.state.holdings().into_iter().map(|held| format!("{} {}", held.feed, held.epoch)).collect()
        }
    }

    #[test]
    fn grants_of_this_boot_are_held_and_those_of_another_are_not() {
        let mut bench = Bench::new();
        let grants = vec![bench.grant("a", "p_2", 3), bench.grant("b", "p_1", 4)];
        bench.hears(grants, Vec::new(), &["a", "b"]);
        assert_eq!(bench.held(), ["uid-a 3"]);
        assert_eq!(bench.state.granted().held.len(), 1);
    }

    #[test]
    fn what_was_revoked_is_over_and_comes_back_only_in_a_newer_epoch() {
        let mut bench = Bench::new();
        let old = bench.grant("a", "p_2", 3);
        bench.hears(vec![old.clone()], Vec::new(), &["a"]);
        let newer = bench.signed("uid-a", "q_1", 4);
        bench.hears(Vec::new(), vec![newer.clone()], &["a"]);
        assert_eq!(bench.held(), Vec::<String>::new());
        assert_eq!(bench.state.over(), [("uid-a".to_owned(), 4)].into());
        assert_eq!(bench.state.granted().over[&Owned::Feed("a".into())].get(), 4);
        bench.hears(vec![old], Vec::new(), &["a"]);
        assert_eq!(bench.held(), Vec::<String>::new(), "one of two operators is late");
        assert_eq!(bench.state.wrong.len(), 1);
        let again = bench.grant("a", "p_2", 5);
        bench.hears(vec![again], vec![newer], &["a"]);
        assert_eq!(bench.held(), ["uid-a 5"]);
        assert!(bench.state.over().is_empty());
    }

    #[test]
    fn what_is_not_named_any_more_is_held_as_long_as_it_is_configured() {
        let mut bench = Bench::new();
        bench.hears(vec![bench.grant("a", "p_2", 3)], Vec::new(), &[]);
        bench.hears(Vec::new(), Vec::new(), &["a"]);
        assert_eq!(bench.held(), ["uid-a 3"]);
        bench.hears(Vec::new(), Vec::new(), &["b"]);
        assert!(bench.held().is_empty() && bench.state.names.is_empty());
    }

    #[test]
    fn a_grant_that_is_signed_with_another_key_is_the_same_grant_to_be_announced_anew() {
        let mut bench = Bench::new();
        bench.hears(vec![bench.grant("a", "p_2", 3)], Vec::new(), &["a"]);
        let before = bench.state.granted();
        bench.signer = Signer::from_seed(&[6; 32]).unwrap();
        let rotated = vec![bench.grant("a", "p_2", 3)];
        bench.hears(rotated.clone(), Vec::new(), &["a"]);
        assert!(bench.state.granted() == before, "of a key that nobody knows yet");
        bench.trust.learn(&trust(&bench.signer)).unwrap();
        bench.hears(rotated, Vec::new(), &["a"]);
        assert_eq!(bench.held(), ["uid-a 3"]);
        assert!(bench.state.granted() != before);
    }

    #[test]
    fn a_feed_of_the_same_name_and_another_uid_takes_the_place_of_the_one_before() {
        let mut bench = Bench::new();
        bench.hears(vec![bench.grant("a", "p_2", 3)], Vec::new(), &["a"]);
        let grant = bench.signed("uid-other", "p_2", 1);
        bench.hears(vec![NamedGrant { feed: Some("a".into()), stream: None, grant }], Vec::new(), &["a"]);
        assert_eq!(bench.held(), ["uid-other 1"]);
    }

    #[test]
    fn one_wrong_grant_is_no_matter_of_the_others() {
        let mut bench = Bench::new();
        let wrong = NamedGrant { feed: Some("b".into()), stream: None, grant: "*".into() };
        let grants = vec![wrong, bench.grant("a", "p_2", 3)];
        bench.hears(grants, vec!["AAAA".into()], &["a", "b"]);
        assert_eq!(bench.held(), ["uid-a 3"]);
        assert_eq!(bench.state.wrong.len(), 2);
    }
}

//! All there is: the API server's objects, the media pods, the clock, and what went wrong.

use super::*;

pub struct World {
    pub all: Simulated,
    pub leases: BTreeMap<String, Lease>,
    pub leader: usize,
    /// So many things more this leader does, and then it is dead.
    pub lives: Option<usize>,
    pub servers: BTreeMap<PodUid, Server>,
    pub fronts: Vec<Front>,
    pub moved: Vec<Moved>,
    pub found: Found,
    pub edges: BTreeSet<PodUid>,
    pub resume: bool,
    pub reconciles: usize,
    pub requests: usize,
    /// The API server forbids what has to do with Leases.
    pub forbidden: bool,
    /// Pods whose objects were deleted by force, and whose processes live on.
    pub ghosts: BTreeSet<PodUid>,
    pub(super) versions: u64,
    pub(super) touched: Option<Instant>,
    pub(super) connections: u64,
    /// By how much the wall clock has been put forward.
    pub(super) ahead: Duration,
    pub(super) began: Instant,
    /// Nodes that take nothing new.
    pub cordoned: BTreeSet<String>,
}

impl World {
    pub(super) fn leads(&self, me: usize) -> bool {
        self.leader == me && self.lives != Some(0)
    }

    /// Whether the leader is still alive to do one thing more.
    pub(super) fn does(&mut self, me: usize) -> bool {
        let leads = self.leads(me);
        if let Some(lives) = self.lives.as_mut().filter(|_| leads) {
            *lives -= 1;
        }
        leads
    }

    pub(super) fn version(&mut self) -> String {
        self.versions += 1;
        self.touched.get_or_insert(Instant::now());
        self.versions.to_string()
    }

    /// What the clock on the wall shows.
    pub fn wall(&self) -> Timestamp {
        let began: Timestamp = "2026-01-15T00:00:00Z".parse().unwrap();
        began.checked_add(SignedDuration::try_from(self.began.elapsed() + self.ahead).unwrap()).unwrap()
    }

    /// A new period of keys has just begun.
    pub fn next_keys(&mut self) {
        let period = self.all.view.settings.key_rotation;
        let now = keys::generation(self.wall(), period);
        while keys::generation(self.wall(), period) == now {
            self.ahead += keys::stays(self.wall(), period);
        }
    }

    /// The keys that media pods believe.
    pub fn keys(&self) -> Keyring {
        let settings = &self.all.view.settings;
        Self::ring(settings, keys::trusted_generations(self.wall(), settings.key_rotation))
    }

    /// The key that is in use.
    pub fn key_in_use(&self) -> Keyring {
        let settings = &self.all.view.settings;
        Self::ring(settings, [keys::generation(self.wall(), settings.key_rotation)])
    }

    fn ring(settings: &Settings, generations: impl IntoIterator<Item = u64>) -> Keyring {
        let mut ring = Keyring::default();
        for generation in generations {
            ring.add(keys::grant_signer(&settings.token_key, generation).unwrap().public()).unwrap();
        }
        ring
    }

    /// The watches have something new.
    pub fn touch(&mut self) {
        let _ = self.version();
    }

    pub fn epoch(&self, feed: &str) -> Option<i64> {
        self.all.view.feeds.iter().find(|it| it.name_any() == feed)?.status.as_ref()?.epoch
    }

    /// The slot of the pod that the Lease of a Feed names, without its hash, and the epoch.
    pub fn owner(&self, feed: &str) -> Option<(String, i32)> {
        let lease =
            self.leases.values().find(|it| it.labels().get(labels::FEED).is_some_and(|it| it == feed))?;
        let spec = lease.spec.clone()?;
        let holder: Holder = spec.holder_identity?.parse().ok()?;
        let slot = self.servers.get(&holder.pod)?.slot.clone();
        Some((slot.rsplit_once('-')?.0.to_owned(), spec.lease_transitions?))
    }

    /// Whether the pod of a Feed's Lease holds it, cleared, and every balancer knows that.
    pub fn is_settled(&self, feed: &str) -> bool {
        let uid = self.uid(feed);
        let Some(lease) =
            self.leases.values().find(|it| it.labels().get(labels::FEED).is_some_and(|it| it == feed))
        else {
            return false;
        };
        let spec = lease.spec.clone().unwrap();
        let holder: Holder = spec.holder_identity.unwrap().parse().unwrap();
        let epoch = Epoch::new(spec.lease_transitions.unwrap() as u64).unwrap();
        let holds = self
            .servers
            .get(&holder.pod)
            .is_some_and(|it| it.alive && it.tenure.holdings().any(|it| it.feed == uid && it.epoch == epoch));
        holds
            && self
                .fronts
                .iter()
                .filter(|it| it.up)
                .all(|it| it.newest.get(&uid) == Some(&(epoch, holder.clone())))
    }

    pub fn uid(&self, feed: &str) -> FeedUid {
        let feed = self.all.view.feeds.iter().find(|it| it.name_any() == feed).unwrap();
        feed.uid().unwrap().parse().unwrap()
    }

    /// The pod of a slot.
    pub fn pod(&self, slot: &str) -> PodUid {
        let slot = format!("default-{slot}-");
        self.servers.iter().find(|(_, it)| it.alive && it.slot.starts_with(&slot)).unwrap().0.clone()
    }

    pub fn annotate(&mut self, pod: &PodUid, name: &str, value: &str) {
        let version = self.version();
        for it in &mut self.all.view.pods {
            if it.uid().as_deref() == Some(pod.as_str()) {
                let mut new = it.as_ref().clone();
                new.metadata.annotations.get_or_insert_default().insert(name.into(), value.into());
                new.metadata.resource_version = Some(version.clone());
                *it = Arc::new(new);
            }
        }
    }
}

//! Who has which path, by the links that there are, and the upstreams of those paths that somebody watched.

mod state;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use millrace_fencing::{
    Epoch, FeedUid, GrantError, Holder, SignedGrant, Time,
    directory::{Announcement, Change, LinkId, OwnerState, Refused},
};
use millrace_link::{
    avrs,
    avrs::Serving,
    net::{Link, SessionClient},
};
use millrace_report::message::{Balancing, Fence, LinkState, Newest};
use tokio::sync::watch;

use self::state::State;
use super::upstream::Upstream;
use crate::linking::Trusted;

/// A server pod, as long as its link is up.
#[derive(Clone)]
pub(super) struct Peer {
    pub holder: Holder,
    pub address: SocketAddr,
    pub client: Arc<SessionClient>,
    pub link: Link,
    /// Its number in the list of links.
    pub line: u64,
}

/// Who has a path now, and how it is served.
#[derive(Clone)]
pub(super) struct Owner {
    pub link: LinkId,
    pub epoch: Epoch,
    pub peer: Peer,
    pub serving: Serving,
}

impl Owner {
    /// Whether a session with `other` is one with this owner.
    pub fn is(&self, other: &Self) -> bool {
        self.link == other.link && self.epoch == other.epoch
    }
}

/// Of a path that is known.
pub(super) struct Known {
    /// None while nobody has it.
    pub owner: Option<Owner>,
    /// Whether the owner says who may watch.
    pub ask: bool,
}

/// See the module.
pub(super) struct Registry {
    state: Mutex<State>,
    heard: AtomicBool,
    links: AtomicU64,
    began: Instant,
    changes: watch::Sender<u64>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            heard: AtomicBool::new(false),
            links: AtomicU64::new(1),
            began: Instant::now(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        Time::from_micros(self.began.elapsed().as_micros() as u64)
    }

    /// Whether any server pod ever said what it has.
    pub fn heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// A link to a server pod is up.
    pub fn join(&self, peer: Peer) -> LinkId {
        let link = LinkId(self.links.fetch_add(1, Ordering::Relaxed));
        self.lock().peers.insert(link, peer);
        self.changed();
        link
    }

    /// Something is to be told at once.
    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Counts what is to be told at once.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// It is over: those of its paths that nobody else has wait for a new owner, with their viewers.
    pub fn lose(&self, link: LinkId, how: LinkState) {
        let now = self.now();
        let mut state = self.lock();
        if let Some(peer) = state.peers.remove(&link) {
            state.ended(peer.holder.pod, how);
        }
        state.servings.remove(&link);
        for (path, _) in state.directory.link_lost(link, now) {
            state.changed(&path);
        }
        for path in state.overlaps.lost(link) {
            state.changed(&path);
        }
        drop(state);
        self.changed();
    }

    /// An epoch exists: what is older is cut off, if that is said, and its viewers wait.
    pub fn fence(&self, fence: &Fence, trust: &Trusted) -> Result<(), Refused> {
        let bytes = STANDARD.decode(&fence.grant).map_err(|_| Refused::Grant(GrantError::Magic))?;
        let grant = SignedGrant::from_bytes(&bytes)?;
        let now = self.now();
        let mut state = self.lock();
        for path in state.directory.fence(&grant, fence.frames, trust, now)? {
            tracing::info!(%path, epoch = %grant.claim().epoch, "the owner of this stream is fenced");
            state.changed(&path);
        }
        if fence.frames {
            for path in state.overlaps.fenced(&grant.claim().feed, grant.claim().epoch) {
                state.changed(&path);
            }
        }
        drop(state);
        self.changed();
        Ok(())
    }

    /// Links and owners, as an operator is told of them.
    pub fn balancing(&self) -> Balancing {
        let mut state = self.lock();
        let links = state.links();
        // Who is only to be succeeded counts: the operator ends it when its successor is the newest everywhere.
        let newest = state.directory.newest().map(|grant| {
            let former = state.overlaps.of_feed(&grant.feed);
            let (epoch, holder) =
                former.map_or((grant.epoch, &grant.holder), |former| (former.epoch, &former.holder));
            (grant.feed.to_string(), Newest { epoch: epoch.get(), holder: holder.to_string() })
        });
        let floors = state.directory.floors().map(|(feed, epoch)| (feed.to_string(), epoch.get()));
        Balancing {
            links,
            newest: Some(newest.collect()),
            floors: Some(floors.collect()),
            ..Balancing::default()
        }
    }

    /// A server pod says that it has a path.
    pub fn announce(&self, link: LinkId, said: avrs::Announcement, trust: &Trusted) -> Result<(), Refused> {
        let grant = SignedGrant::from_bytes(&said.grant)?;
        let name = |e: millrace_fencing::id::IdError| Refused::Grant(e.into());
        let feed = FeedUid::new(&said.feed_uid).map_err(name)?;
        let epoch = Epoch::new(said.epoch).map_err(|e| Refused::Grant(e.into()))?;
        let (now, path) = (self.now(), Arc::<str>::from(said.path));
        let mut state = self.lock();
        let Some(from) = state.peers.get(&link).map(|peer| peer.holder.clone()) else {
            return Err(Refused::NotAnnounced { offered: epoch });
        };
        let announcement = Announcement { path: path.clone(), feed: feed.clone(), epoch, grant, link, from };
        let change = state.directory.announce(announcement, trust, now)?;
        if let Change::Taken { before: Some(before) } = &change {
            state.succeed(&path, &feed, before);
        }
        let before = state.servings.entry(link).or_default().insert(path.clone(), said.serving.clone());
        if change != Change::Waiting {
            state.asks.insert(path.clone(), said.serving.ask);
        }
        if matches!(change, Change::Taken { .. } | Change::Relinked) {
            tracing::info!(%path, %epoch, link = link.0, "a server pod has this stream");
        }
        if change != Change::Known || before.as_ref() != Some(&said.serving) {
            state.changed(&path);
        }
        drop(state);
        self.heard.store(true, Ordering::Relaxed);
        if change != Change::Known {
            self.changed();
        }
        Ok(())
    }

    /// A server pod says that it has a path no more: its viewers are let go, unless another one has it. Where `epoch` is
    /// newer than its own, another one will: they wait.
    pub fn withdraw(&self, link: LinkId, path: &str, epoch: u64) {
        let now = self.now();
        let mut state = self.lock();
        let live = state.directory.owner(path).filter(|owner| owner.state == OwnerState::Live(link));
        let owned = live.is_some();
        if live.is_some_and(|owner| owner.epoch.get() < epoch) {
            state.directory.hand_over(path, link, now);
            if let Some(servings) = state.servings.get_mut(&link) {
                servings.remove(path);
            }
            tracing::info!(path, epoch, "this stream goes to another server pod");
            return state.changed(path);
        }
        if state.overlaps.former(path).is_some_and(|former| former.link == link) {
            state.overlaps.end(path);
        }
        let next = state.directory.withdraw(path, link);
        if let Some(servings) = state.servings.get_mut(&link) {
            servings.remove(path);
        }
        if owned && next.is_none() {
            tracing::info!(path, "this stream is no more");
            state.forget(path);
        } else {
            state.changed(path);
        }
    }

    /// Whether content of `path` that came over `link` in `epoch` may go to viewers.
    pub fn admit(&self, path: &str, link: LinkId, epoch: u64) -> bool {
        let Ok(epoch) = Epoch::new(epoch) else { return false };
        let state = self.lock();
        state.directory.admit(path, link, epoch).is_ok() || state.overlaps.allows(path, link, epoch)
    }

    /// Whether viewers of `path` may stay with `owner`, though another one has it, until that one gives something.
    pub fn overlaps(&self, path: &str, owner: &Owner) -> bool {
        self.lock().overlaps.allows(path, owner.link, owner.epoch)
    }

    /// The owner of `path` gives something, or has had its time: the one before counts no more.
    pub fn arrived(&self, path: &str) {
        if self.lock().overlaps.end(path) {
            self.changed();
        }
    }

    /// What is known of `path`.
    pub fn known(&self, path: &str) -> Option<Known> {
        let state = self.lock();
        let found = state.directory.owner(path)?;
        let ask = state.asks.get(path).copied().unwrap_or(true);
        Some(Known { owner: state.owner(path, &found), ask })
    }

    /// Who has `path` now.
    pub fn owner(&self, path: &str) -> Option<Owner> {
        self.known(path)?.owner
    }

    /// The upstream of `path`, made by `make` if nobody asked before; none where the path is not known.
    pub fn upstream(
        &self,
        path: &str,
        make: impl FnOnce(Arc<str>) -> Arc<Upstream>,
    ) -> Option<Arc<Upstream>> {
        let mut state = self.lock();
        if let Some(upstream) = state.upstreams.get(path) {
            return Some(upstream.clone());
        }
        state.directory.owner(path)?;
        let path = Arc::<str>::from(path);
        let upstream = make(path.clone());
        state.upstreams.insert(path, upstream.clone());
        Some(upstream)
    }

    /// All upstreams.
    pub fn upstreams(&self) -> Vec<Arc<Upstream>> {
        self.lock().upstreams.values().cloned().collect()
    }

    /// Bytes that went out, by upstreams that are no more and by all that are.
    pub fn bytes_out(&self) -> u64 {
        let state = self.lock();
        state.sent + state.upstreams.values().map(|upstream| upstream.channel.bytes_out()).sum::<u64>()
    }

    /// Links, all paths, and those that nobody has.
    pub fn sizes(&self) -> [usize; 3] {
        let state = self.lock();
        let (mut paths, mut orphans) = (0, 0);
        for (_, owner) in state.directory.paths() {
            paths += 1;
            orphans += usize::from(!matches!(owner.state, OwnerState::Live(_)));
        }
        [state.peers.len(), paths, orphans]
    }

    /// Who has which path, and whether it can be reached.
    pub fn owners(&self) -> Vec<(Arc<str>, millrace_fencing::directory::Owner, bool)> {
        let state = self.lock();
        let paths = state.directory.paths();
        paths
            .map(|(path, owner)| {
                let live = matches!(owner.state, OwnerState::Live(_));
                (path.clone(), owner, live)
            })
            .collect()
    }

    /// Forgets what nobody has had for too long.
    pub fn expire(&self) {
        let now = self.now();
        let mut state = self.lock();
        for path in state.directory.expire(now) {
            tracing::info!(%path, "nobody has this stream any more");
            state.forget(&path);
        }
    }
}

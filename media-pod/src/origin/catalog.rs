//! What this media pod has for balancers, kept up to date.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use millrace_crds::Resolved;
use millrace_fencing::SignedGrant;
use tokio::{sync::watch, time};

use super::{
    grants::{Grants, Owned},
    outlet::{Clock, Outlet},
};
use crate::{
    feed::{Feed, Source},
    linking::publishing,
    pod::Pod,
    stream::Stream,
};

/// Where no event comes, it is looked this often.
const LOOK: Duration = Duration::from_secs(1);

/// One path, as it is announced.
#[derive(Clone)]
pub(super) struct Entry {
    pub feed_uid: String,
    pub epoch: u64,
    pub grant: Vec<u8>,
    /// Who may watch is to be asked.
    pub ask: bool,
    pub content_type: Option<String>,
    /// What another media pod has to show here.
    pub relay: Option<String>,
    /// None of a place to publish to.
    pub outlet: Option<Arc<Outlet>>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        let said = |entry: &Self| {
            (entry.epoch, entry.stream(), entry.ask, entry.content_type.clone(), entry.relay.clone())
        };
        said(self) == said(other) && self.feed_uid == other.feed_uid && self.grant == other.grant
    }
}

impl Entry {
    /// The stream id on links.
    pub fn stream(&self) -> u64 {
        self.outlet.as_ref().map_or(0, |outlet| outlet.id)
    }
}

/// What is here.
#[derive(Default, PartialEq)]
pub(super) struct Listing {
    /// By path.
    pub here: BTreeMap<String, Entry>,
    /// What another media pod has, though it is configured here, and in which epoch.
    pub moved: BTreeMap<String, u64>,
}

/// As it is now.
pub(super) type Entries = Arc<Listing>;

/// See the module.
pub(super) struct Catalog {
    pod: Arc<Pod>,
    grants: Grants,
    /// By the stream's name.
    outlets: Mutex<HashMap<String, Arc<Outlet>>>,
    /// Outlets so far.
    made: AtomicU64,
    pub clock: Clock,
    entries: watch::Sender<Entries>,
}

impl Catalog {
    pub fn new(pod: Arc<Pod>, grants: Grants) -> Self {
        let catalog = Self {
            pod,
            grants,
            outlets: Mutex::default(),
            made: AtomicU64::new(0),
            clock: Clock::new(),
            entries: watch::Sender::new(Entries::default()),
        };
        catalog.look();
        catalog
    }

    /// Told of every change.
    pub fn watch(&self) -> watch::Receiver<Entries> {
        self.entries.subscribe()
    }

    /// What is at `path` now.
    pub fn at(&self, path: &str) -> Option<Entry> {
        self.entries.borrow().here.get(path).cloned()
    }

    /// Whether another media pod has what is at `path`.
    pub fn has_moved(&self, path: &str) -> bool {
        self.entries.borrow().moved.contains_key(path)
    }

    /// The configuration that runs.
    pub fn resolved(&self) -> Arc<Resolved> {
        self.pod.resolved()
    }

    /// Keeps it up to date, for ever.
    pub async fn follow(self: Arc<Self>, mut configuration: watch::Receiver<()>) {
        let mut grants = self.grants.watch();
        loop {
            self.look();
            tokio::select! {
                Ok(()) = configuration.changed() => {}
                Ok(()) = grants.changed() => {}
                () = time::sleep(LOOK) => {}
            }
        }
    }

    fn look(&self) {
        let streams = self.pod.shop().streams.load();
        let resolved = self.pod.resolved();
        let token = self.pod.shop().directory.load().token.clone();
        let mut outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        outlets.retain(|name, outlet| streams.get(name).is_some_and(|it| Arc::ptr_eq(it, &outlet.stream)));
        let entry = |(name, stream): (&String, &Arc<Stream>)| {
            let spec = stream.spec();
            let grant = self.grants.of(&self.owned(name, &spec.feeds))?;
            let outlet = outlets.entry(name.clone()).or_insert_with(|| {
                let id = self.made.fetch_add(1, Ordering::Relaxed) + 1;
                Arc::new(Outlet::new(id, stream.clone(), self.clock))
            });
            let said = resolved.streams.get(name);
            let entry = Entry {
                feed_uid: grant.claim().feed.to_string(),
                epoch: grant.claim().epoch.get(),
                grant: grant.to_bytes(),
                ask: said.is_none_or(|said| !resolved.play_grant(said).anyone),
                content_type: stream.channel.format().map(|format| format.content_type.to_string()),
                relay: Some(token.clone()).filter(|token| !token.is_empty()),
                outlet: Some(outlet.clone()),
            };
            Some((spec.path.clone(), entry))
        };
        let feeds = self.pod.shop().feeds.load();
        let points =
            || feeds.iter().filter_map(|(name, feed)| Some((announced(feed)?, Owned::Feed(name.clone()))));
        let mut here: BTreeMap<String, Entry> = streams.iter().filter_map(entry).collect();
        drop(outlets);
        here.extend(points().filter_map(|(path, feed)| Some((path, point(&self.grants.of(&[feed])?)))));
        let moved = streams.iter().filter_map(|(name, stream)| {
            let spec = stream.spec();
            let epoch = self.grants.over(&self.owned(name, &spec.feeds))?;
            (!here.contains_key(&spec.path)).then(|| (spec.path.clone(), epoch.get()))
        });
        let mut moved: BTreeMap<String, u64> = moved.collect();
        let over = |(path, feed)| Some((path, self.grants.over(&[feed])?.get()));
        moved.extend(points().filter_map(over).filter(|(path, _)| !here.contains_key(path)));
        let now = Listing { here, moved };
        self.entries.send_if_modified(|before| {
            let another = **before != now;
            if another {
                *before = Arc::new(now);
            }
            another
        });
    }

    /// Whose grant counts for a stream, the first that there is: its own, or that of its first feed where that runs here.
    fn owned(&self, stream: &str, feeds: &[String]) -> Vec<Owned> {
        let mut owned = vec![Owned::Stream(stream.to_owned())];
        let here = |name: &&String| {
            let feed = self.pod.shop().feed(name);
            feed.is_some_and(|feed| !matches!(feed.spec().source, Source::Remote(_)))
        };
        owned.extend(feeds.first().filter(here).map(|feed| Owned::Feed(feed.clone())));
        owned
    }
}

/// What a feed that waits for a publisher is announced as.
fn announced(feed: &Feed) -> Option<String> {
    match &feed.spec().source {
        Source::Publish { path, .. } => Some(publishing::announced(path)),
        _ => None,
    }
}

/// A place to publish to, of the feed that was granted.
fn point(grant: &SignedGrant) -> Entry {
    Entry {
        feed_uid: grant.claim().feed.to_string(),
        epoch: grant.claim().epoch.get(),
        grant: grant.to_bytes(),
        ask: true,
        content_type: None,
        relay: None,
        outlet: None,
    }
}

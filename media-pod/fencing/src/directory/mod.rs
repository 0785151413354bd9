//! Who owns a path: a balancer's memory, made of announcements alone.

mod entry;
mod fences;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use thiserror::Error;

pub use self::entry::{Owner, OwnerState};
use self::{entry::Entry, fences::Fences};
use crate::{
    epoch::Epoch,
    grant::{Grant, GrantError, SignedGrant},
    id::{FeedUid, Holder},
    keys::Verify,
    time::Time,
};

/// The longest path, in bytes.
pub const MAX_PATH: usize = 1024;

/// A link between this balancer and a server pod: another number for each connection, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What a server pod says of one path.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The path that viewers ask for.
    pub path: Arc<str>,
    /// The feed behind it.
    pub feed: FeedUid,
    /// The epoch of its owner.
    pub epoch: Epoch,
    /// The proof.
    pub grant: SignedGrant,
    /// The link it came over.
    pub link: LinkId,
    /// Who is at the link's other end, as the link itself made sure.
    pub from: Holder,
}

/// What an accepted announcement changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The path has a new owner: subscribe there. Viewers go on with its next generation.
    Taken {
        /// The owner before, if the path was known.
        before: Option<Owner>,
    },
    /// The same owner in the same epoch over another link: subscribe anew.
    Relinked,
    /// Nothing.
    Known,
    /// The path is another feed's, which is alive: this one has it when that one lets go.
    Waiting,
}

/// Why an announcement or a frame is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The grant does not hold.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The feed has a newer owner. The sender is fenced.
    #[error("epoch {offered} is over; the feed is at epoch {known}")]
    Older {
        /// What was offered.
        offered: Epoch,
        /// The newest known.
        known: Epoch,
    },
    /// Two hold grants of one epoch: the operator's key signs for two operators.
    #[error("epoch {epoch} is of {known}, and cannot be of {offered} too")]
    Conflict {
        /// The epoch.
        epoch: Epoch,
        /// Who was granted it first.
        known: Holder,
        /// Who shows a grant of it now.
        offered: Holder,
    },
    /// The sender does not own the path in this epoch.
    #[error("the path is not announced by this link in epoch {offered}")]
    NotAnnounced {
        /// What was offered.
        offered: Epoch,
    },
    /// A path that cannot be one.
    #[error("a path of {0} bytes; 1 to {MAX_PATH} would be right")]
    Path(usize),
    /// The directory is full.
    #[error("the directory is full: {0} {1}")]
    Full(usize, &'static str),
}

impl Refused {
    /// The code of the link protocol.
    pub fn code(&self) -> u32 {
        match self {
            Self::Grant(error) => error.code(),
            Self::Older { .. } | Self::Conflict { .. } => 0x301,
            Self::NotAnnounced { .. } => 0x210,
            Self::Path(_) => 0x1,
            Self::Full(..) => 0x101,
        }
    }
}

/// How much a directory remembers.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The most paths, waiting ones among them.
    pub paths: usize,
    /// The most feeds.
    pub feeds: usize,
    /// How long a path without an owner is kept.
    pub orphan: Duration,
    /// How long the epoch of a feed without a path is kept.
    pub fence: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            paths: 100_000,
            feeds: 100_000,
            orphan: Duration::from_hours(1),
            fence: Duration::from_hours(24),
        }
    }
}

/// Who owns which path.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    bounds: Bounds,
    entries: BTreeMap<Arc<str>, Entry>,
    fences: Fences,
    /// Paths by link, so that a lost link is found without looking at all paths.
    links: BTreeMap<LinkId, Vec<Arc<str>>>,
    /// Announcements that wait for another feed to let go of their path: the newest per path.
    waiting: BTreeMap<Arc<str>, Announcement>,
}

impl Directory {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// A server pod announces a path.
    pub fn announce(&mut self, said: Announcement, keys: &impl Verify, now: Time) -> Result<Change, Refused> {
        if said.path.is_empty() || said.path.len() > MAX_PATH {
            return Err(Refused::Path(said.path.len()));
        }
        said.grant.claim().is_for(&said.feed, &said.from, said.epoch)?;
        let entry = self.entries.get(&said.path);
        let mine = entry.filter(|entry| entry.owned_by(&said));
        if let Some(entry) = mine
            && entry.link() == Some(said.link)
            && entry.grant == said.grant
        {
            return Ok(Change::Known);
        }
        keys.verify(&said.grant)?;
        if mine.is_none() && entry.is_none() && self.entries.len() + self.waiting.len() >= self.bounds.paths {
            return Err(Refused::Full(self.bounds.paths, "paths"));
        }
        self.fences.announced(&said, self.bounds.feeds, now)?;
        match entry {
            Some(entry) if entry.owned_by(&said) => {
                self.put(said);
                Ok(Change::Relinked)
            }
            Some(entry) if entry.feed() != &said.feed && entry.is_live() => {
                self.waiting.insert(Arc::clone(&said.path), said);
                Ok(Change::Waiting)
            }
            Some(entry) if entry.feed() == &said.feed && entry.epoch() > said.epoch => {
                Err(Refused::Older { offered: said.epoch, known: entry.epoch() })
            }
            _ => {
                let before = entry.map(Entry::owner);
                self.put(said);
                Ok(Change::Taken { before })
            }
        }
    }

    fn put(&mut self, said: Announcement) {
        let path = Arc::clone(&said.path);
        self.waiting.remove(&path);
        self.unlink(&path);
        self.links.entry(said.link).or_default().push(Arc::clone(&path));
        self.entries.insert(path, Entry::new(said));
    }

    fn unlink(&mut self, path: &str) {
        if let Some(link) = self.entries.get(path).and_then(Entry::link)
            && let Some(paths) = self.links.get_mut(&link)
        {
            paths.retain(|known| &**known != path);
            if paths.is_empty() {
                self.links.remove(&link);
            }
        }
    }

    /// A server pod takes an announcement back. Who waits for the path has it then; the answer says who.
    pub fn withdraw(&mut self, path: &str, link: LinkId) -> Option<Owner> {
        if self.waiting.get(path).is_some_and(|said| said.link == link) {
            self.waiting.remove(path);
        }
        if self.entries.get(path).and_then(Entry::link) == Some(link) {
            self.unlink(path);
            self.entries.remove(path);
            return self.promote(path);
        }
        None
    }

    /// A server pod lets go of a path because another owns it in a newer epoch. It is an orphan: its viewers stay and wait
    /// for that one, unless somebody has it already; the answer says who waited for it.
    pub fn hand_over(&mut self, path: &str, link: LinkId, now: Time) -> Option<Owner> {
        if self.waiting.get(path).is_some_and(|said| said.link == link) {
            self.waiting.remove(path);
        }
        if self.entries.get(path).and_then(Entry::link) != Some(link) {
            return None;
        }
        self.unlink(path);
        if let Some(entry) = self.entries.get_mut(path) {
            entry.orphan(now);
        }
        self.promote(path)
    }

    fn promote(&mut self, path: &str) -> Option<Owner> {
        let said = self.waiting.remove(path)?;
        // A newer owner of that feed may have come since it began to wait.
        self.fences.passes(&said.feed, said.epoch).ok()?;
        self.put(said);
        self.owner(path)
    }

    /// A link is gone. Its paths are orphans now: their viewers stay and wait for an owner as new or newer. Returned
    /// are those paths, and who has them if somebody waited.
    pub fn link_lost(&mut self, link: LinkId, now: Time) -> Vec<(Arc<str>, Option<Owner>)> {
        self.waiting.retain(|_, said| said.link != link);
        let paths = self.links.remove(&link).unwrap_or_default();
        let orphaned = paths.into_iter().map(|path| {
            if let Some(entry) = self.entries.get_mut(&path) {
                entry.orphan(now);
            }
            let next = self.promote(&path);
            (path, next)
        });
        orphaned.collect()
    }

    /// Whether a frame of `path` that came over `link` in `epoch` may go to viewers.
    pub fn admit(&self, path: &str, link: LinkId, epoch: Epoch) -> Result<(), Refused> {
        match self.entries.get(path) {
            Some(entry) if entry.epoch() > epoch => {
                Err(Refused::Older { offered: epoch, known: entry.epoch() })
            }
            Some(entry) if entry.epoch() == epoch && entry.link() == Some(link) => Ok(()),
            _ => Err(Refused::NotAnnounced { offered: epoch }),
        }
    }

    /// The operator says that an epoch exists. With `frames`, older owners' frames are refused at once and their paths
    /// are orphans; without, they only lose their [voucher](Self::vouches). Returned are the new orphans.
    pub fn fence(
        &mut self,
        grant: &SignedGrant,
        frames: bool,
        keys: &impl Verify,
        now: Time,
    ) -> Result<Vec<Arc<str>>, Refused> {
        let grant = keys.verify(grant)?;
        self.fences.told(grant, frames, self.bounds.feeds, now)?;
        if !frames {
            return Ok(Vec::new());
        }
        let older = |entry: &Entry| entry.feed() == &grant.feed && entry.epoch() < grant.epoch;
        let fenced = self.entries.iter().filter(|(_, entry)| older(entry) && entry.is_live());
        let fenced: Vec<Arc<str>> = fenced.map(|(path, _)| Arc::clone(path)).collect();
        for path in &fenced {
            self.unlink(path);
            if let Some(entry) = self.entries.get_mut(path) {
                entry.orphan(now);
            }
            self.promote(path);
        }
        Ok(fenced)
    }

    /// Whether this balancer vouches for exclusive work of this feed in this epoch: the operator has told it of an epoch
    /// of the feed, and of none that goes before this one.
    pub fn vouches(&self, feed: &FeedUid, epoch: Epoch) -> bool {
        self.fences.floor(feed).is_some_and(|floor| epoch >= floor)
    }

    /// The epoch below which the operator lets nobody do exclusive work any more, by feed: what the operator is told
    /// that this balancer knows.
    pub fn floors(&self) -> impl Iterator<Item = (&FeedUid, Epoch)> {
        self.fences.floors()
    }

    /// The newest grant per feed that has been announced or told.
    pub fn newest(&self) -> impl Iterator<Item = Grant> {
        self.fences.newest()
    }

    /// Who owns a path.
    pub fn owner(&self, path: &str) -> Option<Owner> {
        self.entries.get(path).map(Entry::owner)
    }

    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = (&Arc<str>, Owner)> {
        self.entries.iter().map(|(path, entry)| (path, entry.owner()))
    }

    /// Forgets what has been without an owner for too long. Viewers of the returned paths are told that nobody is there.
    pub fn expire(&mut self, now: Time) -> Vec<Arc<str>> {
        let bound = self.bounds.orphan;
        let old = self.entries.iter().filter(|(_, entry)| entry.orphaned_for(now) > bound);
        let old: Vec<Arc<str>> = old.map(|(path, _)| Arc::clone(path)).collect();
        for path in &old {
            self.entries.remove(path);
        }
        let entries = &self.entries;
        self.fences.expire(now, self.bounds.fence, |feed| entries.values().any(|entry| entry.feed() == feed));
        old
    }
}

#[cfg(test)]
mod tests;

//! What each server pod was granted, told to stop, and cleared for. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use millrace_fencing::{BootId, Epoch, FeedUid, Grant, Holder, PodUid};
use millrace_report::{link::NamedGrant, message::Ownership};

use super::{
    seal::Seals,
    units::{Kind, Units},
};

/// What every pod was told.
#[derive(Debug, Default)]
pub struct Books {
    pods: BTreeMap<PodUid, Book>,
}

#[derive(Debug)]
struct Book {
    boot: BootId,
    revision: u64,
    grants: BTreeMap<FeedUid, Grant>,
    cleared: BTreeMap<FeedUid, Epoch>,
    /// Grants of those that came after it.
    revoked: BTreeMap<FeedUid, Grant>,
}

impl Books {
    /// Forgets pods that are not among these.
    pub fn retain(&mut self, there: impl Fn(&PodUid) -> bool) {
        self.pods.retain(|pod, _| there(pod));
    }

    /// What a pod of this boot is known to own already, where nothing is known of it yet. `first` counts on from where the leader before has
    /// come to.
    pub fn open(&mut self, holder: &Holder, first: u64, owned: impl FnOnce() -> Vec<Grant>) {
        let known = self.pods.get(&holder.pod);
        if known.is_some_and(|book| book.boot == holder.boot) {
            return;
        }
        let revision = known.map_or(0, |book| book.revision).max(first);
        let grants = owned().into_iter().map(|grant| (grant.feed.clone(), grant)).collect();
        let (cleared, revoked) = (BTreeMap::new(), BTreeMap::new());
        let book = Book { boot: holder.boot.clone(), revision, grants, cleared, revoked };
        self.pods.insert(holder.pod.clone(), book);
    }

    /// It owns these; whether that is news.
    pub fn grant(&mut self, holder: &Holder, grants: Vec<Grant>) {
        let Some(book) = self.book(holder) else { return };
        for grant in grants {
            book.revoked.remove(&grant.feed);
            book.grants.insert(grant.feed.clone(), grant);
        }
        book.revision += 1;
    }

    /// Others own these now.
    pub fn revoke(&mut self, holder: &Holder, newer: Vec<Grant>) {
        let Some(book) = self.book(holder) else { return };
        for grant in newer {
            book.grants.remove(&grant.feed);
            book.cleared.remove(&grant.feed);
            book.revoked.insert(grant.feed.clone(), grant);
        }
        book.revision += 1;
    }

    /// Nobody before it does exclusive work of these any more.
    pub fn clear(&mut self, holder: &Holder, grants: Vec<Grant>) {
        let Some(book) = self.book(holder) else { return };
        book.cleared.extend(grants.into_iter().map(|grant| (grant.feed, grant.epoch)));
        book.revision += 1;
    }

    /// All of one is to be told anew.
    pub fn turn_of(&mut self, holder: &Holder) {
        if let Some(book) = self.book(holder) {
            book.revision += 1;
        }
    }

    /// All is to be told anew.
    pub fn turn(&mut self) {
        self.pods.values_mut().for_each(|book| book.revision += 1);
    }

    /// Feeds that are no more.
    pub fn forget(&mut self, units: &Units) {
        for book in self.pods.values_mut() {
            let before = book.grants.len();
            book.grants.retain(|feed, _| units.of.contains_key(feed));
            book.cleared.retain(|feed, _| units.of.contains_key(feed));
            book.revoked.retain(|feed, _| units.of.contains_key(feed));
            book.revision += u64::from(before != book.grants.len());
        }
    }

    fn book(&mut self, holder: &Holder) -> Option<&mut Book> {
        self.pods.get_mut(&holder.pod).filter(|book| book.boot == holder.boot)
    }

    /// All of it, as the pod is told; nothing where it is of another boot.
    pub fn ownership(&self, holder: &Holder, units: &Units, seals: &Seals) -> Option<Arc<Ownership>> {
        let book = self.pods.get(&holder.pod).filter(|book| book.boot == holder.boot)?;
        let named = |grant: &Grant| {
            let (_, unit) = units.unit(&grant.feed)?;
            let member = unit.members.iter().find(|member| member.uid == grant.feed)?;
            let name = Some(member.name.clone());
            let (feed, stream) = match member.kind {
                Kind::Feed => (name, None),
                Kind::Stream => (None, name),
            };
            Some(NamedGrant { feed, stream, grant: seals.sign(grant) })
        };
        let text = |(feed, epoch): (&FeedUid, &Epoch)| (feed.to_string(), epoch.get());
        Some(Arc::new(Ownership {
            revision: book.revision,
            grants: book.grants.values().filter_map(named).collect(),
            cleared: book.cleared.iter().map(text).collect(),
            revoked: book.revoked.values().map(|grant| seals.sign(grant)).collect(),
        }))
    }

    /// Pods of which something is known.
    pub fn holders(&self) -> BTreeSet<Holder> {
        self.pods.iter().map(|(pod, book)| Holder { pod: pod.clone(), boot: book.boot.clone() }).collect()
    }
}

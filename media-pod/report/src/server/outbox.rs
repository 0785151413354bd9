//! What waits to be sent to one media pod: never more than the newest of each kind.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    link::Members,
    message::{Configuration, Directory, Edges, Fence, Ownership, Vouched},
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    news: Notify,
}

/// What is to be sent.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) configuration: Option<Arc<Configuration>>,
    pub(super) directory: Option<Arc<Directory>>,
    pub(super) ownership: Option<Arc<Ownership>>,
    pub(super) members: Option<Arc<Members>>,
    pub(super) edges: Option<Arc<Edges>>,
    /// By the feed's UID.
    pub(super) fences: BTreeMap<String, Fence>,
    pub(super) vouched: Option<Vouched>,
    pub(super) heard: bool,
    /// The connection is to end, and why.
    pub(super) refused: Option<String>,
}

impl Outbox {
    pub(super) fn heard(&self) {
        self.put(|waiting| waiting.heard = true);
    }

    pub(super) fn refuse(&self, why: String) {
        self.put(|waiting| waiting.refused = Some(why));
    }

    /// What is to be sent, as soon as there is anything. Cancel safe.
    pub(super) async fn next(&self) -> Waiting {
        loop {
            let news = self.news.notified();
            let waiting = std::mem::take(&mut *self.lock());
            if waiting.any() {
                return waiting;
            }
            news.await;
        }
    }

    pub(super) fn put(&self, put: impl FnOnce(&mut Waiting)) {
        put(&mut self.lock());
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn any(&self) -> bool {
        self.configuration.is_some()
            || self.directory.is_some()
            || self.ownership.is_some()
            || self.members.is_some()
            || self.edges.is_some()
            || !self.fences.is_empty()
            || self.vouched.is_some()
            || self.heard
            || self.refused.is_some()
    }
}

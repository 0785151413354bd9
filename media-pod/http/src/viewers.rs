//! Who is watching.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use millrace_bus::egress::ViewerStats;

use crate::leash::Leash;

/// A viewer that is there now.
#[derive(Clone, Debug)]
pub struct ViewerInfo {
    /// Counts up from 1, never used twice by one front door.
    pub id: u64,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it watches: the decoded path.
    pub path: Arc<str>,
    /// `http/1.0`, `http/1.1`, `https/1.0`, `https/1.1`, `h2` (over TLS) or `h2c` (in the clear).
    pub protocol: &'static str,
    /// What it calls itself, at most 120 characters, without control characters; empty where it does not say.
    pub user_agent: Arc<str>,
    /// Since when it is there.
    pub since: SystemTime,
    /// Its counters, live.
    pub stats: Arc<ViewerStats>,
}

/// What is kept of a viewer.
#[derive(Debug)]
pub(crate) struct Record {
    pub id: u64,
    pub peer: SocketAddr,
    pub path: Arc<str>,
    pub protocol: &'static str,
    pub user_agent: Arc<str>,
    pub since: SystemTime,
    pub leash: Arc<Leash>,
    /// There once the egress has taken it.
    pub stats: OnceLock<Arc<ViewerStats>>,
}

#[derive(Debug, Default)]
pub(crate) struct Viewers {
    last: AtomicU64,
    present: Mutex<HashMap<u64, Arc<Record>>>,
}

impl Viewers {
    pub fn next_id(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Lists `record` until what is given back is dropped.
    pub fn list(self: &Arc<Self>, record: &Arc<Record>) -> Listed {
        self.present().insert(record.id, record.clone());
        Listed { viewers: self.clone(), id: record.id }
    }

    pub fn info(&self) -> Vec<ViewerInfo> {
        let mut infos: Vec<_> = self.present().values().filter_map(|record| record.info()).collect();
        infos.sort_unstable_by_key(|info| info.id);
        infos
    }

    pub fn get(&self, id: u64) -> Option<Arc<Record>> {
        self.present().get(&id).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Record>> {
        self.present().values().cloned().collect()
    }

    fn present(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Record>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn info(&self) -> Option<ViewerInfo> {
        Some(ViewerInfo {
            id: self.id,
            peer: self.peer,
            path: self.path.clone(),
            protocol: self.protocol,
            user_agent: self.user_agent.clone(),
            since: self.since,
            stats: self.stats.get()?.clone(),
        })
    }
}

/// A place in the list.
#[derive(Debug)]
pub(crate) struct Listed {
    viewers: Arc<Viewers>,
    id: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.viewers.present().remove(&self.id);
    }
}

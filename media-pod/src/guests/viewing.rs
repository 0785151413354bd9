//! The sessions of native clients, to look at.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

/// A session, as long as it lasts.
#[derive(Debug)]
pub struct Viewing {
    /// Another for each session of this program.
    pub id: u64,
    /// Of the stream.
    pub path: String,
    /// Who gets it.
    pub peer: SocketAddr,
    /// Since when.
    pub since: SystemTime,
    packets: AtomicU64,
    bytes: AtomicU64,
    skips: AtomicU64,
}

impl Viewing {
    /// Another content packet was sent, of so many bytes of the stream; so often it was too slow by now.
    pub(super) fn sent(&self, bytes: usize, skips: u64) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.skips.store(skips, Ordering::Relaxed);
    }

    /// Content packets.
    pub fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Bytes of the stream.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How often it was too slow and was moved on.
    pub fn skips(&self) -> u64 {
        self.skips.load(Ordering::Relaxed)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Viewings(Mutex<BTreeMap<u64, Arc<Viewing>>>);

impl Viewings {
    /// Lists a session until what is given back is dropped.
    pub fn list(self: &Arc<Self>, id: u64, path: String, peer: SocketAddr) -> Listed {
        let viewing = Arc::new(Viewing {
            id,
            path,
            peer,
            since: SystemTime::now(),
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            skips: AtomicU64::new(0),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, viewing.clone());
        Listed { all: self.clone(), viewing }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Viewing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// A session's place in the list.
pub(super) struct Listed {
    all: Arc<Viewings>,
    viewing: Arc<Viewing>,
}

impl std::ops::Deref for Listed {
    type Target = Viewing;

    fn deref(&self) -> &Viewing {
        &self.viewing
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.viewing.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_listed_with_what_was_sent_as_long_as_they_last() {
        let all = Arc::new(Viewings::default());
        let one = all.list(7, "/a.ts".to_owned(), ([127, 0, 0, 1], 9).into());
        one.sent(100, 0);
        one.sent(50, 2);
        let seen = all.all();
        assert_eq!((seen.len(), seen[0].packets(), seen[0].bytes(), seen[0].skips()), (1, 2, 150, 2));
        drop(one);
        assert!(all.all().is_empty());
    }
}

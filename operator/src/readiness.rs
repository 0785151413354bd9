//! Whether this replica can work. A standby can: it sees and hears all, and only waits.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{health::Ready, leader::Term, watch::Stores};

/// Whether this replica can work.
pub struct Readiness {
    stores: Arc<Stores>,
    term: Arc<Term>,
    listens: AtomicBool,
}

impl Readiness {
    /// Not yet.
    pub fn new(stores: Arc<Stores>, term: Arc<Term>) -> Self {
        Self { stores, term, listens: AtomicBool::new(false) }
    }

    /// Media pods can connect from now on.
    pub fn listens(&self) {
        self.listens.store(true, Ordering::Release);
    }
}

impl Ready for Readiness {
    fn wrong(&self) -> Vec<String> {
        let mut wrong = self.stores.health.wrong();
        if !self.listens.load(Ordering::Acquire) {
            wrong.push(
                "does not listen for media pods yet: waits for the Secret that replicas share".to_owned(),
            );
        }
        if wrong.is_empty() && !self.stores.is_listed() {
            wrong.push("has not seen all objects yet".to_owned());
        }
        wrong
    }

    fn part(&self) -> &'static str {
        if self.term.leads() { "leader" } else { "standby" }
    }
}

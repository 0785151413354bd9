//! What is counted at the front door.

use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

/// Counts, as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted since the start, those refused included.
    pub connections: u64,
    /// Connections open now, viewers included.
    pub open: u64,
    /// Connections turned away because as many as allowed were open.
    pub refused: u64,
    /// Connections closed because the request head did not come in time, was too large, or was none.
    pub bad_heads: u64,
    /// TLS handshakes that failed.
    pub bad_handshakes: u64,
    /// Viewers since the start.
    pub viewers: u64,
    /// Requests that another server was to answer.
    pub forwarded: u64,
    /// Those of them whose server could not be reached.
    pub forward_failures: u64,
    /// Responses by class of status: `[0]` is 1xx.
    pub responses: [u64; 5],
    /// Responses of status 404.
    pub not_found: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub connections: AtomicU64,
    pub open: AtomicU64,
    pub refused: AtomicU64,
    pub bad_heads: AtomicU64,
    pub bad_handshakes: AtomicU64,
    pub viewers: AtomicU64,
    pub forwarded: AtomicU64,
    pub forward_failures: AtomicU64,
    responses: [AtomicU64; 5],
    not_found: AtomicU64,
}

impl Counters {
    pub fn response(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.responses.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if status == StatusCode::NOT_FOUND {
            self.not_found.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn read(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: get(&self.connections),
            open: get(&self.open),
            refused: get(&self.refused),
            bad_heads: get(&self.bad_heads),
            bad_handshakes: get(&self.bad_handshakes),
            viewers: get(&self.viewers),
            forwarded: get(&self.forwarded),
            forward_failures: get(&self.forward_failures),
            responses: self.responses.each_ref().map(get),
            not_found: get(&self.not_found),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |one, other| Self {
            connections: one.connections + other.connections,
            open: one.open + other.open,
            refused: one.refused + other.refused,
            bad_heads: one.bad_heads + other.bad_heads,
            bad_handshakes: one.bad_handshakes + other.bad_handshakes,
            viewers: one.viewers + other.viewers,
            forwarded: one.forwarded + other.forwarded,
            forward_failures: one.forward_failures + other.forward_failures,
            responses: std::array::from_fn(|class| {
                let of = |counts: &Self| counts.responses.get(class).copied().unwrap_or_default();
                of(&one) + of(&other)
            }),
            not_found: one.not_found + other.not_found,
        })
    }
}

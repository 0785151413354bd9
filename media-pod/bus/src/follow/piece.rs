//! What a reader is told of the bytes that it gets.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{At, Follower};
use crate::Generation;

/// Bytes of a channel, and where they are from.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The bytes, at least one.
    pub bytes: Bytes,
    /// The run that they are of.
    pub generation: Arc<Generation>,
    /// Where in that run they stand; `None` for what is put before bytes that do not follow what came last: a header, the
    /// rest of a unit, the announcement of a jump.
    pub place: Option<Place>,
}

/// Where in its run a piece stands, and what is marked there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of its first byte, from the first byte of the run.
    pub offset: u64,
    /// When the chunk was published that it is of.
    pub at: Instant,
    /// A unit begins at its first byte.
    pub unit: bool,
    /// A decoder can begin at its first byte. What is known of that later is not told.
    pub random_access: bool,
}

impl Follower {
    /// Says where `bytes` are from, the first that [`Self::pending`] gave and of which nothing was taken yet.
    pub(crate) fn piece(&self, bytes: Bytes) -> Piece {
        let place = match &self.at {
            At::Following(cursor) if self.before.is_empty() => {
                let next = cursor.exhausted().then(|| cursor.node.next.get()).flatten();
                let node = next.as_ref().unwrap_or(&cursor.node);
                let at = cursor.offset();
                Some(Place {
                    offset: at.saturating_sub(node.generation.base()),
                    at: node.at,
                    unit: node.marks.units.first_from(at) == Some(at),
                    random_access: node.marks.random_access.contains(&at),
                })
            }
            _ => None,
        };
        Piece { bytes, generation: self.generation.clone(), place }
    }
}

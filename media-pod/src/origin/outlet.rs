//! One stream as all balancers get it: each chunk is signed once, whoever asks for it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use millrace_bus::Piece;
use millrace_link::{
    avrs::{Content, ContentFlags, Generation},
    secure::{MemberId, MemberKey, identity::KeyError},
};

use crate::stream::Stream;

/// Signatures that are kept: readers are mostly at the live edge.
const KEPT: usize = 256;

/// See the module. One for each time that a stream was begun: another stream at the same path is another outlet.
pub(super) struct Outlet {
    /// Counts the outlets of this program, from 1: the stream id on links.
    pub id: u64,
    pub stream: Arc<Stream>,
    signed: Mutex<VecDeque<Signed>>,
}

struct Signed {
    epoch: u64,
    run: u64,
    offset: u64,
    length: usize,
    by: MemberId,
    head: Bytes,
}

static OUTLETS: AtomicU64 = AtomicU64::new(1);

impl Outlet {
    pub fn new(stream: Arc<Stream>) -> Self {
        let id = OUTLETS.fetch_add(1, Ordering::Relaxed);
        Self { id, stream, signed: Mutex::default() }
    }

    /// What is sent of `piece`, in this epoch: head and data of a content packet. Runs count up over all outlets of a path.
    pub fn packet(&self, epoch: u64, piece: Piece, key: &MemberKey) -> Result<(Bytes, Bytes), KeyError> {
        let run = self.id << 32 | piece.generation.number() & 0xffff_ffff;
        let mut content = Content {
            stream: self.id,
            flags: ContentFlags::HEADER,
            generation: Generation { epoch, run },
            timestamp: 0,
            item: 0,
            data: piece.bytes,
        };
        let Some(place) = piece.place else {
            let head = content.sign_head(key)?;
            return Ok((head, content.data));
        };
        let (offset, length) = (place.offset, content.data.len());
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = signed.iter().rev().find(|one| {
            (one.offset, one.run, one.length, one.epoch) == (offset, run, length, epoch) && one.by == key.id()
        });
        if let Some(known) = known {
            return Ok((known.head.clone(), content.data));
        }
        content.flags = ContentFlags::NONE;
        if place.unit {
            content.flags = content.flags.with(ContentFlags::UNIT_START);
        }
        if place.random_access {
            content.flags = content.flags.with(ContentFlags::RANDOM_ACCESS);
        }
        (content.timestamp, content.item) = (micros(place.at), offset);
        let head = content.sign_head(key)?;
        if signed.len() == KEPT {
            signed.pop_front();
        }
        signed.push_back(Signed { epoch, run, offset, length, by: key.id(), head: head.clone() });
        Ok((head, content.data))
    }
}

/// An instant, in microseconds since 1970 by the clock as it stands now.
pub(super) fn micros(at: Instant) -> u64 {
    let began = BEGAN.get_or_init(|| (Instant::now(), SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()));
    let since = at.checked_duration_since(began.0);
    let time = match since {
        Some(since) => began.1 + since,
        None => began.1.saturating_sub(began.0.checked_duration_since(at).unwrap_or(Duration::ZERO)),
    };
    time.as_micros() as u64
}

static BEGAN: std::sync::OnceLock<(Instant, Duration)> = std::sync::OnceLock::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_become_times_in_their_order() {
        let early = Instant::now();
        let now = micros(Instant::now());
        assert!(micros(early) <= now && micros(Instant::now()) >= now);
    }
}

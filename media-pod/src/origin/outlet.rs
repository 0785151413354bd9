//! One stream as all balancers get it: each chunk is signed once, whoever asks for it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
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
    /// The stream id on links.
    pub id: u64,
    pub stream: Arc<Stream>,
    clock: Clock,
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

impl Outlet {
    /// `id` counts the outlets of this program, from 1.
    pub fn new(id: u64, stream: Arc<Stream>, clock: Clock) -> Self {
        Self { id, stream, clock, signed: Mutex::default() }
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
        (content.timestamp, content.item) = (self.clock.micros(place.at), offset);
        let head = content.sign_head(key)?;
        if signed.len() == KEPT {
            signed.pop_front();
        }
        signed.push_back(Signed { epoch, run, offset, length, by: key.id(), head: head.clone() });
        Ok((head, content.data))
    }
}

/// Makes times of instants: microseconds since 1970, by the clock as it stood when this was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant, Duration);

impl Clock {
    pub fn new() -> Self {
        Self(Instant::now(), SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default())
    }

    pub fn micros(self, at: Instant) -> u64 {
        let time = match at.checked_duration_since(self.0) {
            Some(since) => self.1 + since,
            None => self.1.saturating_sub(self.0.saturating_duration_since(at)),
        };
        time.as_micros() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_become_times_in_their_order_and_steps() {
        let early = Instant::now();
        let clock = Clock::new();
        let late = Instant::now();
        assert!(clock.micros(early) <= clock.micros(late));
        let step = clock.micros(late + Duration::from_secs(3)) - clock.micros(late);
        assert!(step.abs_diff(3_000_000) <= 1);
    }
}

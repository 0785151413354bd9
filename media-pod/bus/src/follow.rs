//! One reader's way through the stream, without any I/O: what to send next, and what to do when it is too slow.

mod begin;
mod late;
mod piece;

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{
    Channel, Generation,
    join::RandomAccess,
    node::{Cursor, Node},
    sync::Ordering,
};

pub use piece::{Piece, Place};

/// Slices to be sent, in order.
pub(crate) type Parts = SmallVec<[Bytes; 16]>;

/// Why a reader's way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The channel was closed, and everything was read.
    Closed,
    /// A new run of the encoder began, and the container cannot be continued by another one's bytes.
    NewRun,
}

#[derive(Debug)]
enum At {
    /// Drops bytes up to the next unit (from `not_before` on).
    Aligning {
        /// A unit may begin from here on: it is marked some bytes after its own.
        from: Cursor,
        /// The first chunk whose marks were not looked at.
        scan: Cursor,
        not_before: Option<Instant>,
    },
    Following(Cursor),
    /// At the live edge, whose place somebody else keeps: a cursor of its own would keep all that follows in memory.
    Sharing,
    /// For a random access point at or after this channel offset.
    Waiting {
        from: u64,
    },
    Ended(End),
}

/// What goes out first where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Header,
    Splice,
    Nothing,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Follower {
    at: At,
    opening: Opening,
    /// What `before` opens with, while nothing of it went out.
    opened: Opening,
    /// To be sent before what the cursor points at.
    before: SmallVec<[Bytes; 2]>,
    generation: Arc<Generation>,
    /// Those of the channel when the reader joined.
    dismissals: u64,
    /// Whether any byte went out: before that, a new generation is nobody's loss.
    started: bool,
}

impl Follower {
    pub fn at(point: &RandomAccess, header: bool) -> Self {
        let mut follower = Self::new(point.node.generation.clone(), header, At::Waiting { from: 0 });
        follower.enter(point);
        follower
    }

    pub fn live(edge: Cursor, header: bool) -> Self {
        let generation = edge.node.generation.clone();
        Self::new(generation, header, At::aligning(edge))
    }

    pub fn waiting(edge: &Cursor, header: bool) -> Self {
        Self::new(edge.node.generation.clone(), header, At::Waiting { from: edge.offset() })
    }

    fn new(generation: Arc<Generation>, header: bool, at: At) -> Self {
        let opening = if header { Opening::Header } else { Opening::Nothing };
        let (opened, before) = (Opening::Nothing, SmallVec::new());
        Self { at, opening, opened, before, generation, dismissals: 0, started: false }
    }

    /// Joined `channel` just now.
    pub fn joined(mut self, channel: &Channel) -> Self {
        self.dismissals = channel.dismissals.load(Ordering::Acquire);
        self
    }

    /// Whether there is nothing more for this reader to come: to be asked before the last look at what is there.
    pub fn over(&self, channel: &Channel) -> bool {
        channel.is_closed() || channel.dismissals.load(Ordering::Acquire) != self.dismissals
    }

    /// Begins no earlier than with what was published at `instant`.
    pub fn not_before(&mut self, instant: Instant) {
        if let At::Aligning { not_before, .. } = &mut self.at {
            *not_before = Some(instant);
        }
    }

    pub fn ended(&self) -> Option<End> {
        match self.at {
            At::Ended(end) => Some(end),
            _ => None,
        }
    }

    pub fn end(&mut self, end: End) {
        self.before.clear();
        self.at = At::Ended(end);
    }

    /// Lets go of its place for as long as it shares the edge's.
    pub fn share(&mut self) {
        self.at = At::Sharing;
    }

    /// Goes on at `cursor`, the edge that it shared, with nothing owed.
    pub fn resume(&mut self, cursor: Cursor) {
        self.started = true;
        self.at = At::Following(cursor);
    }

    /// The channel offset of the next byte, whatever is to be sent before it.
    pub fn position(&self) -> Option<u64> {
        match &self.at {
            At::Following(cursor) => Some(cursor.offset()),
            _ => None,
        }
    }

    /// Frames that began in the chunks after the one the reader stands in; its own is not one of them, even where
    /// a later chunk had to tell that it begins here.
    pub fn frames_ahead(&self) -> u64 {
        let At::Following(cursor) = &self.at else { return 0 };
        let here = cursor.offset();
        let mut node = cursor.node.clone();
        let mut frames = 0;
        while let Some(next) = node.next.get() {
            let more = u64::from(next.marks.frames);
            let told_late = next.marks.random_access.contains(&here);
            frames = if told_late { more.saturating_sub(1) } else { frames + more };
            node = next;
        }
        frames
    }

    /// What the bytes that come first will be of; `None` while that is not known.
    pub fn generation(&self, channel: &Channel) -> Option<Arc<Generation>> {
        let running = || channel.is_live().then(|| channel.generation());
        let generation = match &self.at {
            At::Following(cursor) => Some(cursor.node.generation.clone()),
            At::Aligning { scan, .. } if !scan.exhausted() => Some(scan.node.generation.clone()),
            At::Aligning { scan, .. } => {
                scan.node.next.get().map(|next| next.generation.clone()).or_else(running)
            }
            At::Waiting { .. } | At::Sharing => running(),
            At::Ended(_) => None,
        };
        generation.filter(|generation| generation.decided())
    }

    /// Whether everything up to `edge` was read, so that the reader can share the edge's own place.
    pub fn is_at(&self, edge: &Cursor) -> bool {
        self.before.is_empty()
            && matches!(&self.at, At::Following(cursor) if cursor.exhausted() && Arc::ptr_eq(&cursor.node, &edge.node))
    }

    /// Bytes between the reader and `edge`; 0 for who waits.
    pub fn lag(&self, edge: u64) -> u64 {
        match &self.at {
            At::Following(cursor) => edge.saturating_sub(cursor.offset()),
            _ => 0,
        }
    }

    /// The channel offset up to which everything was taken: who waits takes all there is, and wants more.
    pub fn reached(&self, edge: u64) -> Option<u64> {
        match &self.at {
            _ if !self.before.is_empty() => None,
            At::Following(cursor) => Some(cursor.offset()),
            At::Aligning { .. } | At::Waiting { .. } | At::Sharing => Some(edge),
            At::Ended(_) => None,
        }
    }

    /// The channel offset from which on it keeps chunks in memory, if it keeps any.
    pub fn holds_from(&self) -> Option<u64> {
        match &self.at {
            At::Following(cursor) => Some(cursor.offset()),
            At::Aligning { from, .. } => Some(from.offset()),
            At::Waiting { .. } | At::Sharing | At::Ended(_) => None,
        }
    }

    /// Collects what to send next, at most about `budget` bytes, nothing past the channel offset `until`.
    pub fn pending(&mut self, channel: &Channel, until: u64, budget: usize, parts: &mut Parts) {
        parts.clear();
        loop {
            if !self.before.is_empty() {
                parts.extend(self.before.iter().cloned());
            }
            match &self.at {
                At::Sharing | At::Ended(_) => return,
                At::Waiting { from } => {
                    let Some(point) = channel.random_access.get().filter(|point| point.offset >= *from)
                    else {
                        return;
                    };
                    if !parts.is_empty() || !point.node.generation.decided() {
                        return;
                    }
                    self.enter(&point);
                }
                At::Aligning { .. } => {
                    if !parts.is_empty() || !self.align(until) {
                        return;
                    }
                }
                At::Following(cursor) => {
                    let boundary = if self.passes_over(cursor) {
                        cursor.node.next.get().filter(|next| next.start < until)
                    } else {
                        collect(cursor, until, budget, parts)
                    };
                    let Some(next) = boundary.filter(|_| parts.is_empty()) else { return };
                    if !self.cross(next) {
                        return;
                    }
                }
            }
            parts.clear();
        }
    }

    /// `sent` bytes of what [`Self::pending`] gave went out.
    pub fn advance(&mut self, mut sent: usize) {
        if sent > 0 {
            (self.started, self.opened) = (true, Opening::Nothing);
        }
        while let Some(first) = self.before.first_mut() {
            if sent < first.len() {
                let _ = first.split_to(sent);
                return;
            }
            sent -= first.len();
            self.before.remove(0);
        }
        if let At::Following(cursor) = &mut self.at {
            step(cursor, sent);
        }
    }

    /// Whether the run in which `cursor` stands is left out: it ended before it was known what it was.
    fn passes_over(&self, cursor: &Cursor) -> bool {
        !Arc::ptr_eq(&cursor.node.generation, &self.generation)
    }

    /// Passes into the generation of `next`. False: cannot, or not yet.
    fn cross(&mut self, next: Arc<Node>) -> bool {
        if !next.generation.decided() {
            return false;
        }
        if self.started && self.generation.format().is_some() && next.generation.ended_unknown() {
            self.at = At::Following(Cursor::at_end(next));
            return true;
        }
        self.opening = Opening::Splice;
        if !self.change_generation(&next.generation) {
            return false;
        }
        self.open();
        self.at = At::Following(Cursor { node: next, skip: 0 });
        true
    }

    fn change_generation(&mut self, to: &Arc<Generation>) -> bool {
        if self.started && !Arc::ptr_eq(&self.generation, to) && !self.generation.continues_in(to) {
            self.end(End::NewRun);
            return false;
        }
        self.generation = to.clone();
        true
    }
}

impl At {
    fn aligning(edge: Cursor) -> Self {
        Self::Aligning { from: edge.clone(), scan: edge, not_before: None }
    }
}

/// Gathers from `cursor` on, within its generation. Gives the first chunk of the next generation where that is what
/// comes next.
fn collect(cursor: &Cursor, until: u64, budget: usize, parts: &mut Parts) -> Option<Arc<Node>> {
    let mut gathered: usize = parts.iter().map(Bytes::len).sum();
    if !cursor.exhausted() && cursor.offset() < until {
        let rest = cursor.rest();
        gathered += rest.len();
        parts.push(rest);
    }
    let mut node = cursor.node.clone();
    while gathered < budget && parts.len() < parts.inline_size() {
        let next = node.next.get().filter(|next| next.start < until)?;
        if !Arc::ptr_eq(&next.generation, &node.generation) {
            return Some(next);
        }
        gathered += next.bytes.len();
        parts.push(next.bytes.clone());
        node = next;
    }
    None
}

/// Moves `cursor` by `sent` bytes.
pub(crate) fn step(cursor: &mut Cursor, mut sent: usize) {
    loop {
        let here = cursor.node.bytes.len() - cursor.skip.min(cursor.node.bytes.len());
        if sent <= here {
            cursor.skip += sent;
            return;
        }
        sent -= here;
        let Some(next) = cursor.node.next.get() else {
            *cursor = Cursor::at_end(cursor.node.clone());
            return;
        };
        *cursor = Cursor { node: next, skip: 0 };
    }
}

//! One reader's way through the stream, without any I/O: what to send next, and what to do when it is too slow.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{
    Channel, Container, Generation,
    join::RandomAccess,
    node::{Cursor, Node},
    sync::Ordering,
};

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
        cursor: Cursor,
        not_before: Option<Instant>,
    },
    Following(Cursor),
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
    /// To be sent before what the cursor points at.
    before: SmallVec<[Bytes; 2]>,
    generation: Arc<Generation>,
    /// Whether any byte went out: before that, a new generation is nobody's loss.
    started: bool,
}

/// A reader this far behind lets go even where there is no random access point to skip to.
const FURTHEST: u64 = 32 << 20;
/// Smaller remainders are copied, so that a reader that stands still does not hold a whole read buffer.
const COPY_BELOW: usize = 4 << 10;

impl Follower {
    pub fn at(point: &RandomAccess, header: bool) -> Self {
        let mut follower = Self::new(point.node.generation.clone(), header, At::Waiting { from: 0 });
        follower.enter(point);
        follower
    }

    pub fn live(edge: Cursor, header: bool) -> Self {
        let generation = edge.node.generation.clone();
        Self::new(generation, header, At::Aligning { cursor: edge, not_before: None })
    }

    pub fn waiting(edge: &Cursor, header: bool) -> Self {
        Self::new(edge.node.generation.clone(), header, At::Waiting { from: edge.offset() })
    }

    fn new(generation: Arc<Generation>, header: bool, at: At) -> Self {
        let opening = if header { Opening::Header } else { Opening::Nothing };
        Self { at, opening, before: SmallVec::new(), generation, started: false }
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

    /// Goes on at `cursor` with nothing owed.
    pub fn resume(&mut self, cursor: Cursor) {
        self.generation = cursor.node.generation.clone();
        self.started = true;
        self.at = At::Following(cursor);
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

    /// The channel offset up to which everything was read.
    pub fn offset(&self) -> Option<u64> {
        match &self.at {
            At::Following(cursor) if self.before.is_empty() => Some(cursor.offset()),
            _ => None,
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
                At::Ended(_) => return,
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
                    let boundary = collect(cursor, until, budget, parts);
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
        self.started |= sent > 0;
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

    /// Skips to the newest random access point where the reader is more than `allowed` bytes behind `edge`.
    /// Gives the bytes it will not get.
    pub fn skip_if_late(&mut self, channel: &Channel, edge: &Cursor, allowed: u64) -> Option<u64> {
        let At::Following(cursor) = &self.at else { return None };
        let lag = edge.offset().saturating_sub(cursor.offset());
        if lag <= allowed {
            return None;
        }
        let marked = self.generation.format().is_some();
        let ahead = channel.random_access.get().is_some_and(|point| point.offset > cursor.offset());
        if marked && !ahead && lag < FURTHEST.max(allowed) {
            return None;
        }
        let from = if marked {
            let (rest, from) = rest_of_unit(cursor)?;
            self.before.extend(rest);
            self.opening = Opening::Splice;
            self.at = At::Waiting { from };
            from
        } else {
            self.resume(edge.clone());
            edge.offset() - lag
        };
        channel.skips.fetch_add(1, Ordering::Relaxed);
        Some(edge.offset().saturating_sub(from))
    }

    /// Begins at `point`.
    fn enter(&mut self, point: &RandomAccess) {
        if !self.change_generation(&point.node.generation) {
            return;
        }
        self.open();
        self.at = At::Following(Cursor { node: point.node.clone(), skip: point.skip });
    }

    fn open(&mut self) {
        let header = self.generation.header();
        let needed = self.generation.format().is_some_and(|format| format.container.needs_header());
        let first = match self.opening {
            Opening::Header => header.map(|header| header.bytes.clone()),
            Opening::Nothing if needed && !self.started => header.map(|header| header.bytes.clone()),
            Opening::Splice => header.map(|header| header.splice.clone()),
            Opening::Nothing => None,
        };
        self.opening = Opening::Nothing;
        self.before.extend(first.filter(|bytes| !bytes.is_empty()));
    }

    /// Looks for the first unit to begin with. False: not there yet.
    fn align(&mut self, until: u64) -> bool {
        let At::Aligning { cursor, not_before } = &mut self.at else { return false };
        loop {
            let node = &cursor.node;
            if !cursor.exhausted() {
                if !node.generation.decided() {
                    return false;
                }
                let begun = not_before.is_none_or(|instant| node.at >= instant);
                let unit = first_unit(node, cursor.offset(), self.opening == Opening::Header);
                if let Some(skip) = unit.filter(|_| begun) {
                    let cursor = Cursor { node: node.clone(), skip };
                    self.generation = node.generation.clone();
                    self.open();
                    self.at = At::Following(cursor);
                    return true;
                }
            }
            match cursor.node.next.get() {
                Some(next) if next.start < until => *cursor = Cursor { node: next, skip: 0 },
                _ => return false,
            }
        }
    }

    /// Passes into the generation of `next`. False: cannot, or not yet.
    fn cross(&mut self, next: Arc<Node>) -> bool {
        if !next.generation.decided() {
            return false;
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

/// Where in `node` a reader can begin who has read nothing before `from`; `None` also while the header that it needs is
/// not there yet.
fn first_unit(node: &Node, from: u64, header: bool) -> Option<usize> {
    let at = match node.generation.format() {
        None => from,
        Some(format) => {
            let header = format.container.needs_header() || header && format.container.has_header();
            if header && node.generation.header().is_none() {
                return None;
            }
            node.marks.units.first_from(from)?
        }
    };
    (node.start..node.end()).contains(&at).then(|| (at - node.start) as usize)
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
        match cursor.node.next.get() {
            Some(next) => *cursor = Cursor { node: next, skip: 0 },
            None => {
                *cursor = Cursor::at_end(cursor.node.clone());
                return;
            }
        }
    }
}

/// What is left of the unit in which `cursor` stands, and the channel offset after it; `None` while the unit is
/// still being written.
fn rest_of_unit(cursor: &Cursor) -> Option<(SmallVec<[Bytes; 2]>, u64)> {
    let from = cursor.offset();
    let mut rest: SmallVec<[Bytes; 2]> = SmallVec::new();
    let mut node = cursor.node.clone();
    let mut begin = cursor.skip;
    loop {
        let end = node.marks.units.first_from(from).filter(|end| *end < node.end());
        let stop = end.map_or(node.bytes.len(), |end| end.saturating_sub(node.start) as usize);
        let piece = node.bytes.slice(begin.min(stop)..stop);
        if !piece.is_empty() {
            rest.push(if piece.len() < COPY_BELOW { Bytes::copy_from_slice(&piece) } else { piece });
        }
        if let Some(end) = end {
            return Some((rest, end.max(from)));
        }
        let next = node.next.get()?;
        if !Arc::ptr_eq(&next.generation, &node.generation) {
            return Some((rest, next.start));
        }
        (node, begin) = (next, 0);
    }
}

impl Container {
    /// Whether there is a header at all.
    pub(crate) fn has_header(self) -> bool {
        self.needs_header() || matches!(self, Self::MpegTs | Self::Ogg)
    }
}

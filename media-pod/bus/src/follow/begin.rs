//! Where a reader begins: at a unit, with what has to go out before it.

use std::sync::Arc;

use super::{At, Follower, Opening, step};
use crate::{
    Container,
    join::RandomAccess,
    node::{Cursor, Node},
};

/// A unit is marked at most about this many bytes after it began.
const MARKED_WITHIN: u64 = 128 << 10;

impl Follower {
    /// Begins at `point`.
    pub(super) fn enter(&mut self, point: &RandomAccess) {
        if !self.change_generation(&point.node.generation) {
            return;
        }
        self.open();
        self.at = At::Following(Cursor { node: point.node.clone(), skip: point.skip });
    }

    /// Sets what goes out before the first byte.
    pub(super) fn open(&mut self) {
        let header = self.generation.header();
        let needed = self.generation.format().is_some_and(|format| format.container.needs_header());
        let first = match self.opening {
            Opening::Header => header.map(|header| header.bytes.clone()),
            Opening::Nothing if needed && !self.started => header.map(|header| header.bytes.clone()),
            Opening::Splice => header.map(|header| header.splice.clone()),
            Opening::Nothing => None,
        };
        self.opened = std::mem::replace(&mut self.opening, Opening::Nothing);
        self.before.extend(first.filter(|bytes| !bytes.is_empty()));
    }

    /// Looks for the first unit to begin with. False: not there yet.
    pub(super) fn align(&mut self, until: u64) -> bool {
        let header = self.opening == Opening::Header;
        let At::Aligning { from, scan, not_before } = &mut self.at else { return false };
        let next_of = |cursor: &Cursor| {
            let next = cursor.node.next.get().filter(|next| next.start < until)?;
            Some(Cursor { node: next, skip: 0 })
        };
        while not_before.is_some_and(|instant| from.exhausted() || from.node.at < instant) {
            let Some(next) = next_of(from) else { return false };
            *from = next;
        }
        if scan.offset() < from.offset() {
            *scan = from.clone();
        }
        loop {
            if !scan.exhausted() {
                if !scan.node.generation.decided() {
                    return false;
                }
                if !Arc::ptr_eq(&scan.node.generation, &from.node.generation) {
                    *from = scan.clone();
                }
                if let Some(unit) = first_unit(&scan.node, from.offset(), header) {
                    let generation = scan.node.generation.clone();
                    let mut begin = from.clone();
                    step(&mut begin, (unit - from.offset()) as usize);
                    if self.change_generation(&generation) {
                        self.open();
                        self.at = At::Following(begin);
                    }
                    return true;
                }
            }
            let Some(next) = next_of(scan) else { return false };
            *scan = next;
            while scan.node.start.saturating_sub(from.node.end()) > MARKED_WITHIN {
                let Some(next) = next_of(from) else { break };
                *from = next;
            }
        }
    }
}

/// The channel offset at which a reader can begin, by the marks of `node`, who wants nothing before `from`; `None` also
/// while the header that it needs is not there yet.
fn first_unit(node: &Node, from: u64, header: bool) -> Option<u64> {
    let Some(format) = node.generation.format() else { return Some(from) };
    let header = format.container.needs_header() || header && format.container.has_header();
    if header && node.generation.header().is_none() {
        return None;
    }
    node.marks.units.first_from(from).filter(|unit| *unit < node.end())
}

impl Container {
    /// Whether there is a header at all.
    pub(crate) fn has_header(self) -> bool {
        self.needs_header() || matches!(self, Self::MpegTs | Self::Ogg)
    }
}

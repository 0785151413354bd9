//! What a reader does that is too slow.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{At, Follower, Opening};
use crate::{Channel, node::Cursor, sync::Ordering};

/// A reader this far behind lets go even where there is no random access point to skip to.
const FURTHEST: u64 = 32 << 20;
/// A reader that looks for its first unit holds this much at most, in bytes; more than any sniffer looks at.
const LONGEST_LOOK: u64 = 8 << 20;
/// Smaller remainders are copied, so that a reader that stands still does not hold a whole read buffer.
const COPY_BELOW: usize = 4 << 10;

impl Follower {
    /// Skips to the newest random access point where the reader is more than `allowed` bytes behind `edge`.
    /// Gives the bytes it will not get.
    pub fn skip_if_late(&mut self, channel: &Channel, edge: &Cursor, allowed: u64) -> Option<u64> {
        let lag = edge.offset().saturating_sub(self.holds_from()?);
        if lag <= allowed {
            return None;
        }
        let from = match &self.at {
            At::Following(cursor) if self.passes_over(cursor) => return None,
            At::Following(cursor) if self.generation.format().is_some() => {
                let point = channel.random_access.get().is_some_and(|point| point.offset > cursor.offset());
                let too_far = lag >= FURTHEST.max(allowed);
                if !point && !too_far {
                    return None;
                }
                let (rest, from) = match rest_of_unit(cursor) {
                    Some(rest) => rest,
                    // No unit is that large: there is nothing to finish.
                    None if too_far => (SmallVec::new(), edge.offset()),
                    None => return None,
                };
                self.opening = if self.opened == Opening::Nothing { Opening::Splice } else { self.opened };
                if self.opened != Opening::Nothing {
                    // Nothing went out since the last time.
                    self.before.clear();
                }
                self.before.extend(rest);
                // Where random access points are not marked, any unit has to do.
                let none = channel.qos().random_access_points == 0;
                self.at = if none { At::aligning(edge.clone()) } else { At::Waiting { from } };
                from
            }
            At::Following(_) => {
                if !edge.node.generation.decided() {
                    return None;
                }
                self.opening = Opening::Splice;
                if self.change_generation(&edge.node.generation) {
                    self.at = At::aligning(edge.clone());
                }
                edge.offset() - lag
            }
            // Nothing went out yet, so nothing is lost.
            At::Aligning { .. } => {
                if lag > LONGEST_LOOK.max(allowed) {
                    self.at = At::aligning(edge.clone());
                }
                return None;
            }
            At::Waiting { .. } | At::Sharing | At::Ended(_) => return None,
        };
        channel.skips.fetch_add(1, Ordering::Relaxed);
        Some(edge.offset().saturating_sub(from))
    }
}

/// What is left of the unit in which `cursor` stands, and the channel offset after it; `None` while the unit is
/// still being written.
fn rest_of_unit(cursor: &Cursor) -> Option<(SmallVec<[Bytes; 2]>, u64)> {
    let from = cursor.offset();
    let mut node = cursor.node.clone();
    // Where it ends may be marked with a later chunk than the one in which it ends.
    let end = loop {
        if let Some(end) = node.marks.units.first_from(from).filter(|end| *end < node.end()) {
            break end;
        }
        let next = node.next.get()?;
        if !Arc::ptr_eq(&next.generation, &node.generation) {
            break next.start;
        }
        node = next;
    };
    let mut rest = SmallVec::new();
    let (mut node, mut begin) = (cursor.node.clone(), cursor.skip);
    while node.start < end {
        let stop = node.bytes.len().min((end - node.start) as usize);
        let piece = node.bytes.slice(begin.min(stop)..stop);
        if !piece.is_empty() {
            rest.push(if piece.len() < COPY_BELOW { Bytes::copy_from_slice(&piece) } else { piece });
        }
        let Some(next) = node.next.get() else { break };
        (node, begin) = (next, 0);
    }
    Some((rest, end))
}

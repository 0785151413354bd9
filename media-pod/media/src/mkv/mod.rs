//! Matroska and `WebM`, RFC 9559 and RFC 8794.

mod block;
mod element;
mod tracks;

use bytes::{BufMut, Bytes, BytesMut};
use millrace_bus::Container;

use crate::found::Found;
use crate::walk::{Step, Walk};
use block::Lead;
use element::{Head, id};
use tracks::Tracks;

/// Longest header.
const LONGEST_HEADER: u64 = 1 << 20;
/// The size that says that it is not known.
const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// The parser of Matroska.
#[derive(Debug, Default)]
pub(crate) struct Mkv {
    in_segment: bool,
    in_cluster: bool,
    /// Where the cluster ends, if it says.
    cluster_end: Option<u64>,
    group_end: Option<u64>,
    lead: Lead,
    header: BytesMut,
    reported: bool,
    taking: u32,
    taken: Vec<u8>,
    tracks: Tracks,
}

impl Walk for Mkv {
    fn step(&mut self, window: &[u8], at: u64, found: &mut Found) -> Step {
        self.leave(at, found);
        let head = match Head::read(window) {
            Ok(head) => head,
            Err(step) => return step,
        };
        match head.id {
            id::EBML => self.begin(&head, found),
            _ if !self.in_segment => self.top(&head),
            id::CLUSTER => {
                self.close_cluster(found);
                self.report(found);
                found.unit(at);
                self.in_cluster = true;
                self.cluster_end = head.end(at);
                self.lead = Lead::new(at);
                Step::Skip(head.len)
            }
            // What can only stand in a segment ends a cluster of unknown size.
            id::INFO | id::TRACKS | id::TAGS => {
                self.close_cluster(found);
                self.keep(&head)
            }
            id::CUES | id::SEEK_HEAD | id::CHAPTERS | id::ATTACHMENTS => {
                self.close_cluster(found);
                head.skip()
            }
            _ if self.in_cluster => self.inside(&head, window, at, found),
            _ => head.skip(),
        }
    }

    fn data(&mut self, piece: &[u8], _found: &mut Found) {
        self.taken.extend_from_slice(piece);
    }

    fn taken(&mut self, _found: &mut Found) {
        let bytes = std::mem::take(&mut self.taken);
        let body = Head::read(&bytes).ok().and_then(|h| bytes.get(h.len as usize..)).unwrap_or_default();
        match self.taking {
            id::EBML => self.tracks.doc_type(body),
            id::INFO => self.tracks.info(body),
            id::TRACKS => self.tracks.read(body),
            _ => {}
        }
        if self.header.len() as u64 + bytes.len() as u64 <= LONGEST_HEADER {
            self.header.extend_from_slice(&bytes);
        }
    }
}

impl Mkv {
    /// The very beginning, which is there again if a file is begun again.
    fn begin(&mut self, head: &Head, found: &mut Found) -> Step {
        self.close_cluster(found);
        found.container = Some(Container::Matroska);
        *self = Self::default();
        self.keep(head)
    }

    fn top(&mut self, head: &Head) -> Step {
        if self.header.is_empty() {
            return Step::Lost;
        }
        if head.id != id::SEGMENT {
            return head.skip();
        }
        // Who joins sees another part of it: the size that a file states would be wrong.
        self.header.put_u32(id::SEGMENT);
        self.header.put_slice(&UNKNOWN_SIZE);
        self.in_segment = true;
        Step::Skip(head.len)
    }

    /// An element of the header, or one that comes later and is no part of it.
    fn keep(&mut self, head: &Head) -> Step {
        let Some(whole) = head.size.and_then(|size| size.checked_add(head.len)) else { return Step::Lost };
        if self.reported || (head.id == id::TAGS && whole > LONGEST_HEADER / 4) {
            return Step::Skip(whole);
        }
        if whole > LONGEST_HEADER {
            return Step::Lost;
        }
        self.taking = head.id;
        Step::Take(whole)
    }

    /// An element of a cluster.
    fn inside(&mut self, head: &Head, window: &[u8], at: u64, found: &mut Found) -> Step {
        match head.id {
            id::BLOCK_GROUP => {
                let Some(end) = head.end(at) else { return Step::Lost };
                self.group_end = Some(end);
                self.lead.group();
                return Step::Skip(head.len);
            }
            id::TIMESTAMP | id::SIMPLE_BLOCK | id::BLOCK => {
                let shown = head.len as usize + head.size.unwrap_or_default().min(12) as usize;
                let Some(body) = window.get(head.len as usize..shown) else { return Step::Need(shown) };
                if head.id == id::TIMESTAMP {
                    let body = body.get(..8.min(body.len())).unwrap_or_default();
                    found.clock.feed(element::number(body), self.tracks.ticks(), None);
                } else {
                    self.lead.block(body, head.id == id::SIMPLE_BLOCK, self.tracks.main, found);
                }
            }
            id::REFERENCE => self.lead.reference(),
            _ => {}
        }
        head.skip()
    }

    fn leave(&mut self, at: u64, found: &mut Found) {
        if self.group_end.is_some_and(|end| at >= end) {
            self.group_end = None;
            self.lead.group_ends(self.tracks.video(), found);
        }
        if self.cluster_end.is_some_and(|end| at >= end) {
            self.close_cluster(found);
        }
    }

    fn close_cluster(&mut self, found: &mut Found) {
        if self.group_end.take().is_some() {
            self.lead.group_ends(self.tracks.video(), found);
        }
        (self.in_cluster, self.cluster_end) = (false, None);
    }

    /// At the first cluster the header is whole.
    fn report(&mut self, found: &mut Found) {
        if self.reported {
            return;
        }
        self.reported = true;
        found.set_format(Container::Matroska, self.tracks.content_type(), &self.tracks.list);
        found.set_header(std::mem::take(&mut self.header).freeze(), Bytes::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::Place;

    fn element(id: u32, body: &[u8]) -> Vec<u8> {
        let id = id.to_be_bytes();
        let skip = id.iter().take_while(|b| **b == 0).count();
        [&id[skip..], &[0x40 | (body.len() >> 8) as u8, body.len() as u8], body].concat()
    }

    fn block(id: u32, flags: u8) -> Vec<u8> {
        element(id, &[0x81, 0, 0, flags, 1, 2, 3])
    }

    fn cluster(parts: &[Vec<u8>]) -> Vec<u8> {
        let time = element(id::TIMESTAMP, &[0]);
        [&[0x1f, 0x43, 0xb6, 0x75, 0xff][..], &time, &parts.concat()].concat()
    }

    fn points(clusters: &[Vec<u8>]) -> (usize, Vec<usize>) {
        let entry = [element(id::TRACK_NUMBER, &[1]), element(id::TRACK_TYPE, &[1])].concat();
        let tracks = element(id::TRACKS, &element(id::TRACK_ENTRY, &entry));
        let head = [element(id::EBML, b""), vec![0x18, 0x53, 0x80, 0x67, 0xff], tracks].concat();
        let bytes = [head.clone(), clusters.concat()].concat();
        let (mut mkv, mut place, mut found) = (Mkv::default(), Place::default(), Found::default());
        assert!(place.push(&mut mkv, &bytes, &mut found));
        let starts: Vec<u64> = clusters
            .iter()
            .scan(head.len(), |at, c| Some(std::mem::replace(at, *at + c.len()) as u64))
            .collect();
        let marks = found.take_marks();
        assert_eq!(marks.units, millrace_bus::Units::At(starts.iter().copied().collect()));
        let index = |at: &u64| starts.iter().position(|s| s == at).unwrap();
        (marks.frames as usize, marks.random_access.iter().map(index).collect())
    }

    #[test]
    fn a_group_that_refers_to_nothing_is_a_key_frame() {
        let key = element(id::BLOCK_GROUP, &block(id::BLOCK, 0));
        let reference = element(id::REFERENCE, &[0xff]);
        let other = element(id::BLOCK_GROUP, &[block(id::BLOCK, 0), reference].concat());
        let simple = block(id::SIMPLE_BLOCK, 0x80);
        let sound = element(id::SIMPLE_BLOCK, &[0x82, 0, 0, 0x80]);
        let clusters = [
            cluster(std::slice::from_ref(&key)),
            cluster(&[other.clone(), key.clone()]),
            cluster(&[sound, simple.clone(), other.clone()]),
            cluster(&[block(id::SIMPLE_BLOCK, 0), simple.clone()]),
            cluster(&[other]),
            cluster(&[simple]),
        ];
        assert_eq!(points(&clusters), (9, vec![0, 2, 5]));
    }
}

//! The publishing side of a channel.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;

use crate::{
    Channel, Format, Generation, GopCache, Header, Marks,
    join::RandomAccess,
    node::Node,
    qos::QosMeter,
    sync::{Link, Ordering},
};

/// The one who may publish on a channel. Dropping it ends the generation: the GOP cache is emptied, the channel and
/// its viewers stay, another publisher may follow.
#[derive(Debug)]
pub struct Publisher {
    channel: Arc<Channel>,
    generation: Arc<Generation>,
    tail: Arc<Node>,
    /// Chunks from the one in which the unit in progress began: a mark may still point into them.
    unit: VecDeque<Arc<Node>>,
    unit_bytes: u64,
    gop_frames: u64,
    meter: QosMeter,
}

/// A unit larger than this loses its place as a random access point, not its bytes.
const LARGEST_UNIT: u64 = 16 << 20;
/// Without a cache a random access point is still kept for so many bytes, for readers who wait for one and are woken
/// some chunks later.
const FOR_WAITERS: u64 = 1 << 20;

impl Publisher {
    pub(crate) fn new(channel: Arc<Channel>) -> Self {
        let tail = channel.tail();
        let generation = tail.generation.clone();
        Self {
            channel,
            generation,
            tail,
            unit: VecDeque::new(),
            unit_bytes: 0,
            gop_frames: 0,
            meter: QosMeter::new(Instant::now()),
        }
    }

    /// The channel published on.
    pub fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// A new run begins: a process started, a file opened, a connection accepted. `format` where it is known
    /// beforehand.
    pub fn begin(&mut self, epoch: u64, format: Option<Arc<Format>>) {
        self.end();
        let number = self.generation.number() + 1;
        self.generation = Arc::new(Generation::new(number, epoch, self.tail.end(), format));
        self.unit.clear();
        self.unit_bytes = 0;
        self.meter.new_generation();
    }

    /// What the generation carries, once its first bytes told; `None`: no container that is known. Until then its
    /// bytes wait in the channel.
    pub fn set_format(&mut self, format: Option<Arc<Format>>) {
        self.generation.set_format(format);
        // Joiners that wait for it look again.
        self.channel.relays.wake_all();
    }

    /// What those who join need from now on. Set it before publishing the bytes that follow it.
    pub fn set_header(&mut self, header: Arc<Header>) {
        self.generation.set_header(header);
    }

    /// Publishes a chunk. `marks` count from the first byte of the generation.
    pub fn publish(&mut self, bytes: Bytes, mut marks: Marks) {
        if bytes.is_empty() {
            return;
        }
        let now = Instant::now();
        marks.shift(self.generation.base());
        let (length, frames) = (bytes.len() as u64, u64::from(marks.frames));
        let node = Arc::new(Node {
            generation: self.generation.clone(),
            start: self.tail.end(),
            at: now,
            bytes,
            marks,
            next: Link::new(),
        });
        self.meter.count(&self.channel.qos, now, length, frames);
        self.unit.push_back(node.clone());
        self.unit_bytes += length;
        let previous = std::mem::replace(&mut self.tail, node.clone());
        // From here on it can be seen: first by who follows the chain, then by who joins.
        previous.next.set(node.clone());
        self.channel.tail.set(Some(node.clone()));
        self.channel.live.store(true, Ordering::Release);
        // A whole group of pictures may go with it: that must not come before the viewers.
        let begins = !node.marks.random_access.is_empty();
        let old = begins.then(|| self.channel.random_access.get()).flatten();
        self.keep_gop(&node, frames);
        self.channel.relays.wake_all();
        self.forget_old_units(&node);
        #[cfg(not(loom))]
        crate::egress::drop_later(old);
        #[cfg(loom)]
        drop(old);
    }

    fn keep_gop(&mut self, node: &Node, frames: u64) {
        let cache = self.channel.gop_cache.get().map_or(GopCache::Off, |cache| *cache);
        self.gop_frames += frames;
        for &offset in &node.marks.random_access {
            let Some(holder) = self.unit.iter().find(|held| held.start <= offset && offset < held.end())
            else {
                continue;
            };
            self.meter.random_access(&self.channel.qos, node.at, offset);
            self.gop_frames = frames.min(1);
            self.channel.gop_too_long.store(false, Ordering::Relaxed);
            let point = RandomAccess {
                skip: (offset - holder.start) as usize,
                node: holder.clone(),
                offset,
                at: holder.at,
                cached: true,
            };
            self.channel.random_access.set(Some(Arc::new(point)));
        }
        let Some(point) = self.channel.random_access.get() else { return };
        let bytes = node.end() - point.offset;
        if cache.holds(bytes, self.gop_frames) {
            return;
        }
        if point.cached {
            self.channel.gop_too_long.store(cache != GopCache::Off, Ordering::Relaxed);
        }
        if bytes > FOR_WAITERS {
            self.channel.random_access.set(None);
        } else if point.cached {
            let point = RandomAccess { cached: false, ..RandomAccess::clone(&point) };
            self.channel.random_access.set(Some(Arc::new(point)));
        }
    }

    /// The run is over and no other one follows for now: who joins waits for the next [`Self::begin`].
    pub fn end(&mut self) {
        self.forget_gop();
        self.channel.live.store(false, Ordering::Release);
        if !self.generation.decided() {
            self.generation.end();
        }
        // Those who wait to hear what it is, or for a picture to begin with, go on.
        self.channel.relays.wake_all();
    }

    /// The channel offset from which on it keeps chunks in memory.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn holds_from(&self) -> u64 {
        self.unit.front().map_or(self.tail.start, |node| node.start)
    }

    fn forget_gop(&mut self) {
        self.channel.random_access.set(None);
        self.channel.gop_too_long.store(false, Ordering::Relaxed);
        self.gop_frames = 0;
    }

    fn forget_old_units(&mut self, newest: &Node) {
        // Without marks nothing will ever point back; while nothing is known yet, anything may.
        let marks = self.generation.format().is_some() || !self.generation.decided();
        let from = newest.marks.units.last().unwrap_or(if marks { 0 } else { u64::MAX });
        while let Some(first) = self.unit.front() {
            if first.end() > from && self.unit_bytes <= LARGEST_UNIT {
                break;
            }
            self.unit_bytes -= first.bytes.len() as u64;
            self.unit.pop_front();
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.end();
        self.channel.published.store(false, Ordering::Release);
    }
}

//! Chunks as a chain: each knows the next, so a place in the stream is one pointer.
//!
//! What nobody holds a place before is freed by itself; what the GOP cache keeps is one pointer, too.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use crate::{Generation, Marks, sync::Link};

/// A published chunk and the way to the next one.
#[derive(Debug)]
pub struct Node {
    pub(crate) generation: Arc<Generation>,
    /// Channel offset of the first byte.
    pub(crate) start: u64,
    pub(crate) at: Instant,
    pub(crate) bytes: Bytes,
    /// Offsets are the channel's.
    pub(crate) marks: Marks,
    pub(crate) next: Link<Node>,
}

impl Node {
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl Drop for Node {
    // The default would recurse once per chunk of the chain.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(node) = next {
            next = Arc::into_inner(node).and_then(|mut node| node.next.take());
        }
    }
}

/// A place in the stream: a chunk, and how much of it lies behind.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub node: Arc<Node>,
    pub skip: usize,
}

impl Cursor {
    pub fn at_end(node: Arc<Node>) -> Self {
        let skip = node.bytes.len();
        Self { node, skip }
    }

    /// Channel offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.node.start + self.skip as u64
    }

    pub fn rest(&self) -> Bytes {
        self.node.bytes.slice(self.skip.min(self.node.bytes.len())..)
    }

    pub fn exhausted(&self) -> bool {
        self.skip >= self.node.bytes.len()
    }
}

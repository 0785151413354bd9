//! A message on its way out, in two parts so that a header in front needs no copy of what it heads.

use bytes::{Bytes, BytesMut};

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    head: Bytes,
    body: Bytes,
    /// Bytes of it that are sent.
    pub sent: usize,
    /// Whether it is compressed.
    pub compressed: bool,
    /// What it costs besides its bytes: what decompressing adds.
    pub extra: usize,
}

impl Message {
    /// As it is.
    pub fn plain(head: Bytes, body: Bytes) -> Self {
        Self { head, body, sent: 0, compressed: false, extra: 0 }
    }

    /// Compressed from `original` bytes.
    pub fn compressed(body: Bytes, original: usize) -> Self {
        let extra = original.saturating_sub(body.len());
        Self { head: Bytes::new(), body, sent: 0, compressed: true, extra }
    }

    /// Bytes of the message.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// The next `take` bytes.
    pub fn take(&mut self, take: usize) -> [Bytes; 2] {
        let (from, to) = (self.sent, self.sent + take);
        self.sent = to;
        let split = self.head.len();
        let head = self.head.slice(from.min(split)..to.min(split));
        let body = self.body.slice(from.max(split) - split..to.max(split) - split);
        [head, body]
    }
}

/// Both parts in one.
pub fn join(head: &Bytes, body: &Bytes) -> Bytes {
    if head.is_empty() {
        return body.clone();
    }
    let mut out = BytesMut::with_capacity(head.len() + body.len());
    out.extend_from_slice(head);
    out.extend_from_slice(body);
    out.freeze()
}

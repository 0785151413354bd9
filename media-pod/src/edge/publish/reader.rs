//! A place in what a publisher sends, for one owner after the other.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use millrace_bus::{Channel, Join, Joined, Piece, Start, Subscriber};
use millrace_link::avrs::{Content, ContentFlags, Generation};

/// See the module.
pub(super) struct Reader {
    pub subscriber: Subscriber,
    /// Where it begins.
    pub offset: u64,
    sent: u64,
    run: u64,
}

impl Reader {
    /// From there on.
    pub fn new(joined: Joined) -> Self {
        let offset = joined.offset().unwrap_or_default();
        let run = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
        Self { subscriber: Subscriber::new(joined, true), offset, sent: 0, run }
    }

    /// At the newest picture of `channel`, with what a decoder needs before it.
    pub fn at(channel: &Arc<Channel>) -> Self {
        let start = if channel.random_access_age().is_some() { Start::Last } else { Start::Live };
        let joined = channel.join(Join { header: true, start });
        let offset = joined.offset().unwrap_or_else(|| channel.offset());
        Self { offset, ..Self::new(joined) }
    }

    /// What is sent of `piece`, of whatever stream.
    pub fn packet(&mut self, piece: Piece) -> Content {
        let mut content = self.content();
        content.flags = if piece.place.is_some() { ContentFlags::NONE } else { ContentFlags::HEADER };
        self.sent += piece.bytes.len() as u64;
        content.data = piece.bytes;
        content
    }

    /// A packet without data.
    pub fn content(&self) -> Content {
        Content {
            stream: 0,
            flags: ContentFlags::NONE,
            generation: Generation { epoch: 0, run: self.run },
            timestamp: self.run,
            item: self.sent,
            data: Bytes::new(),
        }
    }
}

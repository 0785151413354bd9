//! Where in the stream a viewer begins.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    Channel, Format,
    follow::{Follower, Parts},
    node::Node,
};

/// The newest random access point: the first byte of a unit that a decoder can begin with.
#[derive(Clone, Debug)]
pub struct RandomAccess {
    pub(crate) node: Arc<Node>,
    pub(crate) skip: usize,
    pub(crate) offset: u64,
    pub(crate) at: Instant,
    /// Whether who joins may begin here; otherwise it is only for those who wait already.
    pub(crate) cached: bool,
}

/// What a viewer asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Join {
    /// Send the container's header first. Always done where nothing can be decoded without it, and with `start`
    /// other than `Live`.
    pub header: bool,
    /// Where to begin.
    pub start: Start,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// The live edge, at the next unit.
    #[default]
    Live,
    /// The newest random access point that is cached; waits for the next one if none is.
    Last,
    /// The next random access point. Adds no delay.
    Next,
}

/// A place taken: give it to the egress or to a [`crate::Subscriber`].
#[derive(Debug)]
pub struct Joined {
    pub(crate) channel: Arc<Channel>,
    pub(crate) follower: Follower,
    /// How old the picture is that comes first; `None` where the viewer waits for it or did not ask for it.
    pub age: Option<Duration>,
}

impl Joined {
    /// The channel joined.
    pub fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// Channel offset of the first byte, where that is known already.
    pub fn offset(&self) -> Option<u64> {
        self.follower.position()
    }

    /// Video frames that began in chunks after the one it starts in.
    pub fn frames_since(&self) -> u64 {
        self.follower.frames_ahead()
    }

    /// All that is there now, from the first byte to the live edge.
    pub fn available(mut self) -> Vec<Bytes> {
        let (mut all, mut parts) = (Vec::new(), Parts::new());
        let until = self.channel.offset();
        loop {
            self.follower.pending(&self.channel, until, usize::MAX, &mut parts);
            if parts.is_empty() {
                return all;
            }
            self.follower.advance(parts.iter().map(Bytes::len).sum());
            all.extend(parts.drain(..));
        }
    }

    /// What the bytes that come first will be of, once that is known: the outer `None` until then, the inner one for
    /// bytes of no known container. To be asked from [`Channel::until`].
    pub fn format(&self) -> Option<Option<Arc<Format>>> {
        self.follower.generation(&self.channel).map(|generation| generation.format())
    }
}

impl Channel {
    /// Waits for the next random access point from now on, and gives when its first byte came.
    pub async fn next_random_access(self: &Arc<Self>) -> (Joined, Instant) {
        let mut joined = self.join(Join { header: true, start: Start::Next });
        let from = self.offset();
        let point =
            self.until(|channel| channel.random_access.get().filter(|point| point.offset >= from)).await;
        joined.follower = Follower::at(&point, true).joined(self);
        (joined, point.at)
    }

    /// Takes a place in the stream, as of now.
    pub fn join(self: &Arc<Self>, join: Join) -> Joined {
        let edge = self.edge();
        let header = join.header || join.start != Start::Live;
        let point = match join.start {
            Start::Last => self.cached_point(),
            Start::Live | Start::Next => None,
        };
        let age = point.as_ref().map(|point| point.at.elapsed());
        let follower = match (point, join.start) {
            (Some(point), _) => Follower::at(&point, header),
            (None, Start::Live) => Follower::live(edge, header),
            (None, _) => Follower::waiting(&edge, header),
        }
        .joined(self);
        Joined { channel: self.clone(), follower, age }
    }
}

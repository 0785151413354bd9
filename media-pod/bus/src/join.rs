//! Where in the stream a viewer begins.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{Channel, follow::Follower, node::Node};

/// The newest random access point: the first byte of a unit that a decoder can begin with.
#[derive(Clone, Debug)]
pub struct RandomAccess {
    pub(crate) node: Arc<Node>,
    pub(crate) skip: usize,
    pub(crate) offset: u64,
    pub(crate) at: Instant,
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
}

impl Channel {
    /// Takes a place in the stream, as of now.
    pub fn join(self: &Arc<Self>, join: Join) -> Joined {
        let edge = self.edge();
        let header = join.header || join.start != Start::Live;
        let point = match join.start {
            Start::Last => self.random_access.get(),
            Start::Live | Start::Next => None,
        };
        let age = point.as_ref().map(|point| point.at.elapsed());
        let follower = match (point, join.start) {
            (Some(point), _) => Follower::at(&point, header),
            (None, Start::Live) => Follower::live(edge, header),
            (None, _) => Follower::waiting(&edge, header),
        };
        Joined { channel: self.clone(), follower, age }
    }
}

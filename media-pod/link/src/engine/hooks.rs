//! Packet-in callbacks.

use super::event::PacketIn;
use crate::wire::{ChannelId, ChannelType};

/// What a callback wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Every message.
    Any,
    /// Those of a type of channel.
    Type(ChannelType),
    /// Those of one channel.
    Channel(ChannelId),
}

/// What a callback says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next one's turn, at last the user's.
    Pass,
    /// Nobody else gets it.
    Consume,
}

pub(crate) type Hook = Box<dyn FnMut(&PacketIn) -> Verdict + Send>;

/// Callbacks in the order in which they were registered.
#[derive(Default)]
pub struct Hooks(Vec<(Filter, Hook)>);

impl Hooks {
    /// One more, after the others.
    pub fn add(&mut self, filter: Filter, hook: Hook) {
        self.0.push((filter, hook));
    }

    /// Whether one consumed the message.
    pub fn run(&mut self, packet: &PacketIn) -> bool {
        self.0
            .iter_mut()
            .filter(|(filter, _)| match filter {
                Filter::Any => true,
                Filter::Type(kind) => *kind == packet.kind,
                Filter::Channel(channel) => *channel == packet.channel,
            })
            .any(|(_, hook)| hook(packet) == Verdict::Consume)
    }
}

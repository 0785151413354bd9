//! One channel.

use std::collections::VecDeque;

use super::compress::Compressor;
use super::config::Config;
use super::credit::Grants;
use super::fragment::Partial;
use super::machine::State;
use super::message::Message;
use super::stats::ChannelStats;
use crate::secure::Seal;
use crate::wire::{ChannelType, Notice, OpenOptions};

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Messages, the first of them perhaps partly sent.
    pub queue: VecDeque<Message>,
    /// Bytes of them.
    pub queued: usize,
    /// What the other side granted.
    pub credit: u64,
    /// Largest message that the other side takes.
    pub max_message: usize,
    /// Whether the user was told that it is full.
    pub was_full: bool,
    /// What to end with, once the queue is empty.
    pub close: Option<Notice>,
    /// Whether it is in the schedule.
    pub scheduled: bool,
}

/// What came in.
#[derive(Debug)]
pub struct Inbox {
    /// What the other side may send.
    pub grants: Grants,
    /// A message of which pieces are there.
    pub partial: Option<Partial>,
}

/// Keys, made when they are first needed: `own` ones also depend on a key of the user's.
#[derive(Debug, Default)]
pub struct Seals {
    base: [Option<Seal>; 2],
    own: [Option<Seal>; 2],
}

impl Seals {
    /// Where the keys of a direction are.
    pub fn slot(&mut self, own: bool, incoming: bool) -> &mut Option<Seal> {
        let [out, inward] = if own { &mut self.own } else { &mut self.base };
        if incoming { inward } else { out }
    }
}

/// One channel that is not closed.
pub struct Channel {
    pub kind: ChannelType,
    pub state: State,
    pub options: OpenOptions,
    pub own_key: Option<[u8; 32]>,
    pub outbox: Outbox,
    pub inbox: Inbox,
    pub compressor: Compressor,
    pub seals: Seals,
    pub stats: ChannelStats,
    pub closing: Option<Notice>,
}

impl Channel {
    /// A channel in this state, with the whole window granted.
    pub fn new(kind: ChannelType, state: State, options: OpenOptions, config: &Config) -> Self {
        Self {
            kind,
            state,
            options,
            own_key: None,
            outbox: Outbox::default(),
            inbox: Inbox { grants: Grants::new(config.window), partial: None },
            compressor: Compressor::new(config.compress),
            seals: Seals::default(),
            stats: ChannelStats::default(),
            closing: None,
        }
    }

    /// The other side granted its whole window.
    pub fn granted(&mut self, credit: u32) {
        self.outbox.credit = u64::from(credit);
        self.outbox.max_message = credit as usize / 2;
    }

    /// Whether messages can pass.
    pub fn is_active(&self) -> bool {
        self.state == State::Open
    }
}

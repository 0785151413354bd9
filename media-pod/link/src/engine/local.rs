//! What the user asks for.

use std::time::Instant;

use bytes::Bytes;

use super::channel::Channel;
use super::event::CloseReason;
use super::hooks::{Filter, Hook};
use super::machine::{Action, Input, State, step};
use super::message::{Message, join};
use super::{Core, Phase, Verdict};
use crate::Side;
use crate::wire::{ChannelId, ChannelType, Code, Control, Notice, OpenOptions, PacketType};

/// Why a channel cannot be opened or accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The link is over, or not ready yet.
    #[error("the link is not ready")]
    NotReady,
    /// Channels 0 and 3 are always open; types 0x05 to 0x0f have no meaning.
    #[error("channel type {0:#04x} cannot be opened")]
    Type(u8),
    /// It is there already.
    #[error("channel {0} is there already")]
    Taken(ChannelId),
    /// The other side does not ask for it (any more).
    #[error("nobody asks for channel {0}")]
    NotRequested(ChannelId),
    /// As many as allowed.
    #[error("{0} channels are open, which is the limit")]
    TooMany(usize),
    /// A sealed channel needs a link with a handshake; a keyed one a key.
    #[error("there is no key to seal the channel with")]
    NoKey,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The channel is not open.
    #[error("channel {0} is not open")]
    NotOpen(ChannelId),
    /// The other side takes no message of this size.
    #[error("a message of {len} bytes; the peer takes {max} on this channel")]
    TooLarge {
        /// Its size.
        len: usize,
        /// The largest.
        max: usize,
    },
    /// Enough waits to be sent: try again after [`crate::Event::Writable`].
    #[error("the channel's queue is full")]
    Full,
}

impl Core {
    /// Asks for the one channel of a type ([`ChannelType::CUSTOM`] and up are the user's own).
    pub fn open(&mut self, kind: ChannelType, options: OpenOptions) -> Result<ChannelId, OpenError> {
        self.open_as(ChannelId::of(kind), kind, options, None)
    }

    /// Asks for one more channel of a type, with an id of its own.
    pub fn open_dynamic(&mut self, kind: ChannelType, options: OpenOptions) -> Result<ChannelId, OpenError> {
        let first = u32::from(ChannelId::FIRST_DYNAMIC) + u32::from(self.config.side == Side::Acceptor);
        // One more than the limit: then a free one is among them.
        for _ in 0..=self.config.max_channels {
            let id = ChannelId(self.next_dynamic as u16);
            self.next_dynamic += 2;
            if self.next_dynamic > u32::from(u16::MAX) {
                self.next_dynamic = first;
            }
            if !self.channels.contains_key(&id) {
                return self.open_as(id, kind, options, None);
            }
        }
        Err(OpenError::TooMany(self.config.max_channels))
    }

    /// Asks for a channel whose seal also depends on a key that the other side has from elsewhere.
    pub fn open_keyed(&mut self, kind: ChannelType, key: [u8; 32]) -> Result<ChannelId, OpenError> {
        let options = OpenOptions::ENCRYPTED.with(OpenOptions::KEYED);
        self.open_as(ChannelId::of(kind), kind, options, Some(key))
    }

    fn open_as(
        &mut self,
        id: ChannelId,
        kind: ChannelType,
        options: OpenOptions,
        own_key: Option<[u8; 32]>,
    ) -> Result<ChannelId, OpenError> {
        if self.phase != Phase::Ready {
            return Err(OpenError::NotReady);
        }
        if ChannelId::of(kind).is_permanent() || !kind.is_assigned() {
            return Err(OpenError::Type(kind.0));
        }
        let sealed = options != OpenOptions::NONE;
        if (sealed && !self.guard.has_keys()) || (options.has(OpenOptions::KEYED) && own_key.is_none()) {
            return Err(OpenError::NoKey);
        }
        match self.state(id) {
            State::Closed => {}
            State::Requested => return self.accept_keyed(id, own_key).map(|()| id),
            _ => return Err(OpenError::Taken(id)),
        }
        if self.is_full() {
            return Err(OpenError::TooMany(self.config.max_channels));
        }
        let mut channel = Channel::new(kind, State::Opening, options, &self.config);
        channel.own_key = own_key;
        self.channels.insert(id, channel);
        self.control(Control::Open { channel: id, kind, options, credit: self.config.window });
        Ok(id)
    }

    /// Opens a channel that the other side asks for.
    pub fn accept(&mut self, id: ChannelId) -> Result<(), OpenError> {
        self.accept_keyed(id, None)
    }

    /// The same, with the key for a keyed one.
    pub fn accept_keyed(&mut self, id: ChannelId, key: Option<[u8; 32]>) -> Result<(), OpenError> {
        let window = self.config.window;
        let Some(channel) = self.channels.get_mut(&id) else { return Err(OpenError::NotRequested(id)) };
        let (next, action) = step(channel.state, Input::LocalAccept);
        if action != Action::SendAccept {
            return Err(OpenError::NotRequested(id));
        }
        if channel.options.has(OpenOptions::KEYED) && key.is_none() {
            return Err(OpenError::NoKey);
        }
        channel.own_key = key;
        channel.state = next;
        self.control(Control::Accept { channel: id, credit: window });
        Ok(())
    }

    /// Refuses a channel that the other side asks for.
    pub fn refuse(&mut self, id: ChannelId, code: Code, text: impl Into<String>) {
        if self.state(id) == State::Requested {
            self.close_channel(id, Notice::new(code, text));
        }
    }

    /// Closes a channel after what is queued on it. [`crate::Event::ChannelClosed`] follows when the other side has agreed.
    pub fn close_channel(&mut self, id: ChannelId, notice: Notice) {
        if id.is_permanent() || self.phase != Phase::Ready {
            return;
        }
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let (next, action) = step(channel.state, Input::LocalClose);
        channel.state = next;
        match action {
            Action::SendCloseLast => {
                channel.closing = Some(notice.clone());
                channel.outbox.close = Some(notice);
                channel.inbox.partial = None;
                self.activate(id);
            }
            Action::SendClose => {
                channel.closing = Some(notice.clone());
                self.urgent(PacketType::Close, id, notice.encode());
            }
            _ => {}
        }
    }

    /// Queues a message, in two parts so that a header in front needs no copy.
    pub fn send(&mut self, id: ChannelId, head: Bytes, body: Bytes) -> Result<(), SendError> {
        let limit = self.config.send_queue;
        let channel = match self.channels.get_mut(&id) {
            Some(channel) if !id.is_permanent() => channel,
            _ => return Err(SendError::NotOpen(id)),
        };
        if step(channel.state, Input::LocalSend).1 != Action::Queue {
            return Err(SendError::NotOpen(id));
        }
        let len = head.len() + body.len();
        if len > channel.outbox.max_message {
            return Err(SendError::TooLarge { len, max: channel.outbox.max_message });
        }
        if channel.outbox.queued >= limit || channel.outbox.queue.len() > limit / 64 {
            channel.outbox.was_full = true;
            return Err(SendError::Full);
        }
        let shrunk = if channel.compressor.wants(len) {
            channel.compressor.compress(&join(&head, &body))
        } else {
            None
        };
        let message = match shrunk {
            Some(shrunk) => {
                channel.stats.compressed += 1;
                Message::compressed(shrunk, len)
            }
            None => Message::plain(head, body),
        };
        channel.stats.plain_sent += len as u64;
        channel.outbox.queued += len;
        channel.outbox.queue.push_back(message);
        self.activate(id);
        Ok(())
    }

    /// Whether [`Core::send`] would take a message now.
    pub fn is_writable(&self, id: ChannelId) -> bool {
        let limit = self.config.send_queue;
        self.channels.get(&id).is_some_and(|channel| {
            let outbox = &channel.outbox;
            channel.state == State::Open && outbox.queued < limit && outbox.queue.len() <= limit / 64
        })
    }

    /// Registers a callback that sees messages before the user does, after the callbacks registered before it.
    pub fn on_packet(
        &mut self,
        filter: Filter,
        hook: impl FnMut(&super::PacketIn) -> Verdict + Send + 'static,
    ) {
        let hook: Hook = Box::new(hook);
        self.hooks.add(filter, hook);
    }

    /// Closes the link: at once, whatever is queued on its channels. The other side is told.
    pub fn close(&mut self, notice: &Notice) {
        if self.phase != Phase::Closed {
            self.urgent(PacketType::Close, ChannelId::CONTROL, notice.encode());
            self.over(CloseReason::Local);
        }
    }

    /// The transport ended.
    pub fn transport_lost(&mut self) {
        self.urgent.clear();
        self.handshake.clear();
        self.over(CloseReason::TransportLost);
    }

    /// The other side's machine ended the transport: everything that it sent was taken.
    pub fn transport_ended(&mut self) {
        self.urgent.clear();
        self.handshake.clear();
        self.over(CloseReason::TransportEnded);
    }

    /// Time passed: call it at [`Core::poll_timeout`] or any time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.phase == Phase::Closed {
            return;
        }
        let handshake = self.phase == Phase::Handshake;
        let waiting = self.has_output();
        if let Some(reason) = self.keepalive.verdict(now, handshake, waiting) {
            let notice = Notice::new(Code::ERROR, reason.to_string());
            self.urgent(PacketType::Close, ChannelId::CONTROL, notice.encode());
            self.over(reason);
        } else if !handshake && let Some(stamp) = self.keepalive.ask(now) {
            self.urgent(PacketType::Keepalive, ChannelId::CONTROL, crate::wire::Echo::Ask(stamp).encode());
        }
    }

    pub(super) fn state(&self, id: ChannelId) -> State {
        self.channels.get(&id).map_or(State::Closed, |channel| channel.state)
    }

    pub(super) fn is_full(&self) -> bool {
        self.channels.len() >= self.config.max_channels + 2
    }

    /// Whether messages can pass on this channel.
    pub fn is_open(&self, id: ChannelId) -> bool {
        self.state(id) == State::Open
    }

    /// Whether the other side asks for this channel.
    pub fn is_requested(&self, id: ChannelId) -> bool {
        self.state(id) == State::Requested
    }
}

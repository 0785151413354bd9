//! The handshake on channel 3, and which packets are sealed with what.

use bytes::{Bytes, BytesMut};

use super::channel::Channel;
use super::config::Security;
use super::event::Event;
use super::machine::State;
use super::{Core, Phase, StartError};
use crate::Side;
use crate::secure::{Claim, Handshake, Seal, SealError, Secrets};
use crate::wire::{ChannelId, ChannelType, Code, Flags, Header, OpenOptions, PacketType};

/// A handshake message to send.
pub struct Pending {
    /// The message.
    pub bytes: Bytes,
    /// Never sealed.
    pub clear: bool,
}

/// What is known of keys.
#[derive(Default)]
pub struct Guard {
    handshake: Option<Handshake>,
    secrets: Option<Secrets>,
    all: bool,
}

/// How a packet is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Not.
    Clear,
    /// With the channel's key.
    Base,
    /// With the channel's key, which depends on the user's too.
    Own,
}

impl Guard {
    /// Whether there are keys.
    pub fn has_keys(&self) -> bool {
        self.secrets.is_some()
    }
}

impl Core {
    pub(super) fn begin(&mut self) -> Result<(), StartError> {
        for kind in [ChannelType::CONTROL, ChannelType::SECURITY] {
            let channel = Channel::new(kind, State::Open, OpenOptions::NONE, &self.config);
            self.channels.insert(ChannelId::of(kind), channel);
        }
        match self.config.security.clone() {
            Security::Clear { peer_role } => {
                self.ready(Claim { id: None, role: peer_role, grant: Bytes::new() });
            }
            Security::Handshake(credentials) if self.config.side == Side::Dialer => {
                let (handshake, bytes) = Handshake::dial(credentials)?;
                self.guard.handshake = Some(handshake);
                self.handshake.push_back(Pending { bytes, clear: true });
            }
            Security::Handshake(credentials) => self.guard.handshake = Some(Handshake::accept(credentials)),
        }
        Ok(())
    }

    fn ready(&mut self, peer: Claim) {
        self.phase = Phase::Ready;
        self.peer = Some(peer.clone());
        self.events.push_back(Event::Ready { peer });
    }

    pub(super) fn security_message(&mut self, bytes: &Bytes) {
        let Some(handshake) = &mut self.guard.handshake else {
            self.complain(ChannelId::SECURITY, Code::ARG_INCORRECT, "there is no handshake going on");
            return;
        };
        let outcome = match handshake.handle(bytes) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.fail(error.code, format!("handshake: {}", error.text));
                return;
            }
        };
        if let Some(bytes) = outcome.send_clear {
            self.handshake.push_back(Pending { bytes, clear: true });
        }
        if let Some((secrets, all)) = outcome.keys {
            self.guard.secrets = Some(secrets);
            self.guard.all = all;
        }
        if let Some(bytes) = outcome.send {
            self.handshake.push_back(Pending { bytes, clear: false });
        }
        if let Some(claim) = outcome.done {
            self.guard.handshake = None;
            self.ready(claim);
        }
    }

    /// How a packet of this kind is sealed on this channel, in either direction.
    pub(super) fn sealing(&self, kind: PacketType, id: ChannelId) -> Sealing {
        let options = self.channels.get(&id).map_or(OpenOptions::NONE, |channel| channel.options);
        if kind == PacketType::Data && options.has(OpenOptions::KEYED) {
            Sealing::Own
        } else if self.guard.all || (kind == PacketType::Data && options.has(OpenOptions::ENCRYPTED)) {
            Sealing::Base
        } else {
            Sealing::Clear
        }
    }

    /// Uses the keys of a channel; those of a channel that is not there are made for this once.
    pub(super) fn with_seal<R>(
        &mut self,
        (sealing, id, incoming): (Sealing, ChannelId, bool),
        act: impl FnOnce(&mut Seal) -> Result<R, SealError>,
    ) -> Result<R, SealError> {
        let secrets = self.guard.secrets.as_ref().ok_or(SealError::Provider)?;
        let sender = if incoming { self.config.side.other() } else { self.config.side };
        let direction = secrets.direction(sender);
        let Some(channel) = self.channels.get_mut(&id) else {
            return act(&mut Seal::new(direction, id, None)?);
        };
        let own = sealing == Sealing::Own;
        let own_key = if own { Some(channel.own_key.as_ref().ok_or(SealError::Forged)?) } else { None };
        let slot = channel.seals.slot(own, incoming);
        let seal = match slot {
            Some(seal) => seal,
            None => slot.insert(Seal::new(direction, id, own_key)?),
        };
        act(seal)
    }

    /// Opens a packet that came in; none: it is to be dropped.
    pub(super) fn unseal(
        &mut self,
        kind: PacketType,
        header: &Header,
        number: u64,
        data: BytesMut,
    ) -> Option<Bytes> {
        let id = header.channel;
        let sealing = self.sealing(kind, id);
        let is_sealed = header.flags.has(Flags::ENCRYPTED);
        match (sealing, is_sealed) {
            (Sealing::Clear, false) => Some(data.freeze()),
            // Sent before the other side knew that the channel is closed.
            (Sealing::Clear, true) if !self.channels.contains_key(&id) => None,
            (Sealing::Clear, true) => {
                self.fail(
                    Code::ARG_INCORRECT,
                    format!("a sealed packet on channel {id}, which is not sealed"),
                );
                None
            }
            (_, false) => {
                self.fail(Code::MEMBER_SECURITY_ISSUE, format!("a packet on channel {id} is not sealed"));
                None
            }
            (_, true) => {
                let bytes = header.encode();
                match self.with_seal((sealing, id, true), |seal| seal.open(number, &bytes, data)) {
                    Ok(opened) => Some(opened),
                    Err(error) => {
                        self.fail(Code::MEMBER_SECURITY_ISSUE, format!("channel {id}: {error}"));
                        None
                    }
                }
            }
        }
    }
}

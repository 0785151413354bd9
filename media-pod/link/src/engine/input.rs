//! What comes in.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::channel::Channel;
use super::compress::{decompress, original_size};
use super::event::{CloseReason, Event, PacketIn};
use super::fragment::{Partial, split_prefix};
use super::machine::{Action, Input, State, step};
use super::{Core, PACKET_COST, Phase};
use crate::Side;
use crate::wire::{
    ChannelId, ChannelType, Code, Control, Echo, Flags, HEADER_LEN, Header, Notice, OpenOptions, PacketType,
};

impl Core {
    /// Takes bytes as the transport gave them, cut anywhere.
    pub fn handle_input(&mut self, now: Instant, bytes: Bytes) {
        self.handle_input_mut(now, bytes.into());
    }

    /// The same, in memory that nobody else reads: what is sealed is opened where it lies.
    pub fn handle_input_mut(&mut self, now: Instant, bytes: BytesMut) {
        if self.phase == Phase::Closed {
            return;
        }
        self.framer.feed(bytes);
        while self.phase != Phase::Closed {
            match self.framer.next_packet() {
                Ok(Some((header, data))) => self.packet(now, &header, data),
                Ok(None) => break,
                Err(error) => self.fail(Code::ARG_INCORRECT, error.to_string()),
            }
        }
    }

    fn packet(&mut self, now: Instant, header: &Header, data: BytesMut) {
        let id = header.channel;
        self.stats.packets_received += 1;
        self.stats.bytes_received += (HEADER_LEN + data.len()) as u64;
        let numbers = self.numbers.entry(id).or_default();
        let Some((number, missing)) = numbers.place(header.sequence) else {
            self.stats.replayed += 1;
            return;
        };
        let kind = PacketType::from_number(header.kind);
        // An unknown type is sealed like an error is.
        let Some(data) = self.unseal(kind.unwrap_or(PacketType::Error), header, number, data) else { return };
        self.numbers.entry(id).or_default().took(number);
        // What was replayed or forged is no sign of life.
        self.keepalive.heard(now);
        self.stats.lost += missing;
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.stats.packets_received += 1;
            channel.stats.bytes_received += u64::from(header.size) + HEADER_LEN as u64;
            channel.stats.lost += missing;
        }
        if self.phase == Phase::Handshake {
            return self.early(kind, id, &data);
        }
        if header.flags.has_unknown() {
            return self.complain(id, Code::ARG_INCORRECT, format!("unknown flags {:#04x}", header.flags.0));
        }
        match kind {
            None => {
                self.complain(id, Code::ARG_INCORRECT, format!("unknown packet type {:#04x}", header.kind));
            }
            Some(PacketType::Data) => self.data(header, data),
            Some(PacketType::Control | PacketType::Keepalive) if id != ChannelId::CONTROL => {
                self.complain(id, Code::ARG_INCORRECT, "control and keepalive packets belong on channel 0");
            }
            Some(PacketType::Control) => match Control::decode(&data) {
                Some(control) => self.control_message(control),
                None => self.complain(id, Code::ARG_INCORRECT, "unknown or short control message"),
            },
            Some(PacketType::Keepalive) => match Echo::decode(&data) {
                Some(Echo::Ask(stamp)) => {
                    self.urgent(PacketType::Keepalive, ChannelId::CONTROL, Echo::Answer(stamp).encode());
                }
                Some(Echo::Answer(stamp)) => self.keepalive.answered(now, stamp),
                None => {}
            },
            Some(PacketType::Close) => self.close_message(id, Notice::decode(&data)),
            Some(PacketType::Error) => {
                self.event(Event::Complaint { channel: id, notice: Notice::decode(&data) });
            }
        }
    }

    /// Before the handshake is done.
    fn early(&mut self, kind: Option<PacketType>, id: ChannelId, data: &Bytes) {
        match (kind, id) {
            (Some(PacketType::Data), ChannelId::SECURITY) => self.security_message(data),
            (Some(PacketType::Close), ChannelId::CONTROL) => {
                self.over(CloseReason::Peer(Notice::decode(data)));
            }
            (Some(PacketType::Error | PacketType::Keepalive), ChannelId::CONTROL) => {}
            _ => self.fail(Code::MEMBER_SECURITY_ISSUE, "the handshake on channel 3 comes first"),
        }
    }

    fn control_message(&mut self, control: Control) {
        match control {
            Control::Open { channel, kind, options, credit } => {
                self.open_message(channel, kind, options, credit);
            }
            Control::Accept { channel: id, credit } => {
                let Some(channel) = self.channels.get_mut(&id) else { return self.out_of_turn(id, "accept") };
                let (next, action) = step(channel.state, Input::Accept);
                channel.state = next;
                match action {
                    Action::Establish => {
                        channel.granted(credit);
                        self.event(Event::Opened { channel: id });
                    }
                    Action::Complain => self.out_of_turn(id, "accept"),
                    _ => {}
                }
            }
            Control::Credit { channel: id, bytes } => {
                let Some(channel) = self.channels.get_mut(&id) else { return };
                match step(channel.state, Input::Credit).1 {
                    Action::AddCredit if !id.is_permanent() => {
                        channel.outbox.credit =
                            channel.outbox.credit.saturating_add(u64::from(bytes)).min(u64::from(u32::MAX));
                        self.activate(id);
                    }
                    Action::Ignore => {}
                    _ => self.out_of_turn(id, "credit"),
                }
            }
        }
    }

    fn out_of_turn(&mut self, id: ChannelId, what: &str) {
        self.complain(id, Code::ARG_INCORRECT, format!("{what} makes no sense for channel {id} now"));
    }

    fn open_message(&mut self, id: ChannelId, kind: ChannelType, options: OpenOptions, credit: u32) {
        let (next, action) = step(self.state(id), Input::Open);
        match action {
            Action::Ask => {
                if let Err((code, text)) = self.may_ask(id, kind, options) {
                    self.urgent(PacketType::Close, id, Notice::new(code, text).encode());
                    return;
                }
                let mut channel = Channel::new(kind, next, options, &self.config);
                channel.granted(credit);
                self.channels.insert(id, channel);
                self.event(Event::OpenRequest { channel: id, kind, options });
            }
            Action::Establish => {
                let Some(channel) = self.channels.get_mut(&id) else { return };
                if channel.options == options && channel.kind == kind {
                    channel.state = next;
                    channel.granted(credit);
                    self.event(Event::Opened { channel: id });
                } else {
                    self.fail(Code::ARG_INCORRECT, format!("channel {id} is opened in two ways at once"));
                }
            }
            Action::Complain => self.out_of_turn(id, "open"),
            _ => {}
        }
    }

    fn may_ask(
        &self,
        id: ChannelId,
        kind: ChannelType,
        options: OpenOptions,
    ) -> Result<(), (Code, &'static str)> {
        let theirs = u16::from(self.config.side == Side::Dialer);
        if id.fixed_type().is_some_and(|fixed| fixed != kind) {
            Err((Code::ARG_INCORRECT, "below 0x100 the type is the id"))
        } else if !kind.is_assigned() || ChannelId::of(kind).is_permanent() {
            Err((Code::ARG_INCORRECT, "a channel of this type cannot be opened"))
        } else if id.fixed_type().is_none() && id.0 % 2 != theirs {
            Err((Code::ARG_INCORRECT, "the dialer opens even ids, the acceptor odd ones"))
        } else if options != OpenOptions::NONE && !self.guard.has_keys() {
            Err((Code::ARG_INCORRECT, "there are no keys to seal a channel with"))
        } else if self.is_full() {
            Err((Code::ERROR, "too many channels"))
        } else {
            Ok(())
        }
    }

    fn close_message(&mut self, id: ChannelId, notice: Notice) {
        if id == ChannelId::CONTROL {
            return self.over(CloseReason::Peer(notice));
        }
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if id.is_permanent() {
            return self.out_of_turn(id, "close");
        }
        let (_, action) = step(channel.state, Input::Close);
        let (unsent, local) = (channel.outbox.close.take(), channel.closing.take());
        let was_open = channel.state != State::Requested;
        self.forget(id);
        match action {
            Action::AnswerClose => {
                self.urgent(PacketType::Close, id, Notice::done().encode());
                self.event(if was_open {
                    Event::ChannelClosed { channel: id, notice }
                } else {
                    Event::Refused { channel: id, notice }
                });
            }
            Action::Finish => {
                if let Some(unsent) = unsent {
                    self.urgent(PacketType::Close, id, unsent.encode());
                }
                self.event(Event::ChannelClosed { channel: id, notice: local.unwrap_or(notice) });
            }
            Action::Refused => {
                self.urgent(PacketType::Close, id, Notice::done().encode());
                self.event(Event::Refused { channel: id, notice });
            }
            _ => {}
        }
    }

    fn data(&mut self, header: &Header, data: Bytes) {
        let id = header.channel;
        if id.is_permanent() {
            return self.complain(id, Code::ARG_INCORRECT, format!("channel {id} takes no data now"));
        }
        match step(self.state(id), Input::Data).1 {
            Action::Deliver => {}
            Action::Ignore => return,
            _ => return self.complain(id, Code::ARG_INCORRECT, format!("channel {id} is not open")),
        }
        let max = self.config.max_message();
        let is_fragment = header.flags.has(Flags::FRAGMENTED);
        let compressed = header.flags.has(Flags::COMPRESSED);
        let (total, offset, piece) = match split_prefix(&data) {
            Some(parts) if is_fragment => parts,
            None if is_fragment => return self.fail(Code::ARG_INCORRECT, "a fragment without its prefix"),
            _ => (data.len(), 0, data),
        };
        // What decompressing adds is paid for by the first packet.
        let extra = match original_size(&piece) {
            _ if !compressed || offset > 0 => 0,
            Some(original) if original <= max => original.saturating_sub(total),
            _ => return self.fail(Code::ARG_INCORRECT, "a compressed message of no or too large a size"),
        };
        if total > max || (is_fragment && total == 0) {
            return self.fail(Code::ARG_INCORRECT, format!("a message of {total} bytes; {max} are allowed"));
        }
        let cost = header.size + PACKET_COST + extra as u32;
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if !channel.inbox.grants.take(cost) {
            return self.fail(Code::ERROR, format!("more was sent on channel {id} than was granted"));
        }
        if offset == 0
            && let Some(old) = channel.inbox.partial.take()
        {
            self.stats.aborted += 1;
            self.consumed(id, old.charge);
        }
        if is_fragment {
            self.piece(id, (total, offset, compressed), &piece, cost);
        } else {
            self.whole(id, compressed, piece, cost);
        }
    }

    fn piece(
        &mut self,
        id: ChannelId,
        (total, offset, compressed): (usize, usize, bool),
        piece: &Bytes,
        cost: u32,
    ) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let mut partial = match channel.inbox.partial.take() {
            Some(partial) => partial,
            None => Partial::new(total, compressed),
        };
        partial.charge += cost;
        if !partial.add(total, offset, compressed, piece) {
            self.stats.aborted += 1;
            return self.consumed(id, partial.charge);
        }
        if partial.is_whole() {
            let charge = partial.charge;
            self.whole(id, compressed, partial.into_message(), charge);
        } else {
            channel.inbox.partial = Some(partial);
        }
    }

    fn whole(&mut self, id: ChannelId, compressed: bool, message: Bytes, charge: u32) {
        let data = if compressed {
            match decompress(&message, self.config.max_message()) {
                Ok(data) => data,
                Err(error) => {
                    self.complain(id, Code::CONTENT_CORRUPTED, error.to_string());
                    return self.consumed(id, charge);
                }
            }
        } else {
            message
        };
        let Some(channel) = self.channels.get(&id) else { return };
        let packet = PacketIn { channel: id, kind: channel.kind, data, charge };
        if self.hooks.run(&packet) {
            self.consumed(id, charge);
        } else {
            self.event(Event::Packet(packet));
        }
    }
}

//! What goes out.

use bytes::Bytes;

use super::fragment::{PREFIX_LEN, Piece, prefix};
use super::message::Message;
use super::security::Sealing;
use super::{Core, Event, PACKET_COST, Phase};
use crate::secure::{Sealed, Spare, TAG_LEN};
use crate::wire::{ChannelId, Code, Flags, HEADER_LEN, Header, PacketType};

/// One packet: its header (and what stands in front of a fragment), then what it holds: up to two parts that were never
/// copied, or what they were sealed to.
#[derive(Clone, Debug)]
pub struct Outgoing {
    head: [u8; HEADER_LEN + PREFIX_LEN],
    head_len: usize,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Clear([Bytes; 2]),
    Sealed(Sealed),
}

impl Outgoing {
    /// The pieces, in order; some may be empty.
    pub fn pieces(&self) -> [&[u8]; 3] {
        let head = self.head.get(..self.head_len).unwrap_or(&self.head);
        match &self.body {
            Body::Clear([first, second]) => [head, first, second],
            Body::Sealed(sealed) => [head, sealed.bytes(), &[]],
        }
    }

    /// All bytes.
    #[allow(clippy::len_without_is_empty, reason = "there is always a header")]
    pub fn len(&self) -> usize {
        self.pieces().iter().map(|piece| piece.len()).sum()
    }

    /// The packet in one piece, copied.
    pub fn to_bytes(&self) -> Bytes {
        self.pieces().concat().into()
    }
}

impl Core {
    /// The next packet to send. Order: handshake, control, then channels by their share.
    pub fn poll_output(&mut self) -> Option<Outgoing> {
        let out = self.next_output();
        if out.is_some() {
            self.keepalive.took();
        }
        out
    }

    /// Takes back a packet that was sent, so that its memory can be used again. Need not be called.
    pub fn recycle(&mut self, sent: Outgoing) {
        if let Body::Sealed(sealed) = sent.body {
            self.spare.put(sealed);
        }
    }

    /// Lets go of memory for packets: nothing is to be sent for now.
    pub fn rest(&mut self) {
        self.spare = Spare::default();
    }

    /// Whether [`Core::poll_output`] may have something.
    pub fn has_output(&self) -> bool {
        !self.handshake.is_empty()
            || (self.phase != Phase::Handshake && !self.urgent.is_empty())
            || (self.phase == Phase::Ready && !self.schedule.is_empty())
    }

    fn next_output(&mut self) -> Option<Outgoing> {
        if let Some(pending) = self.handshake.pop_front() {
            let sealing = if pending.clear {
                Sealing::Clear
            } else {
                self.sealing(PacketType::Data, ChannelId::SECURITY)
            };
            let parts = [Bytes::new(), pending.bytes];
            return self.emit((PacketType::Data, ChannelId::SECURITY), sealing, Flags::NONE, None, parts);
        }
        if self.phase == Phase::Handshake {
            return None;
        }
        if let Some((kind, id, data)) = self.urgent.pop_front() {
            self.urgent_bytes = self.urgent_bytes.saturating_sub(data.len() + 32);
            let sealing = self.sealing(kind, id);
            return self.emit((kind, id), sealing, Flags::NONE, None, [Bytes::new(), data]);
        }
        if self.phase == Phase::Ready { self.scheduled() } else { None }
    }

    fn scheduled(&mut self) -> Option<Outgoing> {
        while let Some(id) = self.schedule.front() {
            let sealing = self.sealing(PacketType::Data, id);
            let tag = if sealing == Sealing::Clear { 0 } else { TAG_LEN };
            let max_fragment = self.config.max_fragment;
            let low = self.config.send_queue / 2;
            let Some(channel) = self.channels.get_mut(&id) else {
                self.schedule.drop_front();
                continue;
            };
            let outbox = &mut channel.outbox;
            let Some(message) = outbox.queue.front_mut() else {
                outbox.scheduled = false;
                self.schedule.drop_front();
                if let Some(notice) = outbox.close.take() {
                    let parts = [Bytes::new(), notice.encode()];
                    let sealing = self.sealing(PacketType::Close, id);
                    return self.emit((PacketType::Close, id), sealing, Flags::NONE, None, parts);
                }
                continue;
            };
            let Some((piece, cost)) = next_piece(message, outbox.credit, tag, max_fragment) else {
                outbox.scheduled = false;
                self.schedule.drop_front();
                continue;
            };
            let (total, offset) = (message.len(), message.sent);
            let mut flags = if message.compressed { Flags::COMPRESSED } else { Flags::NONE };
            let parts = message.take(piece.take);
            outbox.credit -= cost;
            // In bytes before compression, as credit is.
            outbox.queued -= piece.take + if offset == 0 { message.extra } else { 0 };
            if message.sent == total {
                outbox.queue.pop_front();
            }
            let writable = outbox.was_full && outbox.queued <= low;
            if writable {
                outbox.was_full = false;
            }
            let weight = channel.kind.weight();
            self.schedule.sent(piece.take + HEADER_LEN, weight);
            if writable {
                self.event(Event::Writable(id));
            }
            let front = piece.fragment.then(|| prefix(total, offset));
            if piece.fragment {
                flags = flags | Flags::FRAGMENTED;
            }
            return self.emit((PacketType::Data, id), sealing, flags, front, parts);
        }
        None
    }

    fn emit(
        &mut self,
        (kind, id): (PacketType, ChannelId),
        sealing: Sealing,
        flags: Flags,
        front: Option<[u8; PREFIX_LEN]>,
        parts: [Bytes; 2],
    ) -> Option<Outgoing> {
        let number = self.numbers.entry(id).or_default().next_out();
        let [first, second] = &parts;
        let plain = front.map_or(0, |front| front.len()) + first.len() + second.len();
        let (size, flags) = match sealing {
            Sealing::Clear => (plain, flags),
            _ => (plain + TAG_LEN, flags | Flags::ENCRYPTED),
        };
        let header =
            Header { size: size as u32, kind: kind as u8, sequence: number as u32, channel: id, flags }
                .encode();
        self.count_sent(id, HEADER_LEN + size);
        let mut head = [0; HEADER_LEN + PREFIX_LEN];
        if sealing == Sealing::Clear {
            let all = header.iter().chain(front.as_ref().map_or(&[][..], |front| front));
            head.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
            let head_len = HEADER_LEN + front.map_or(0, |front| front.len());
            return Some(Outgoing { head, head_len, body: Body::Clear(parts) });
        }
        let pieces: [&[u8]; 3] = [front.as_ref().map_or(&[], |front| front), first, second];
        let spare = self.spare.take(size);
        match self.with_seal((sealing, id, false), |seal| seal.seal_into(number, &header, &pieces, spare)) {
            Ok(sealed) => {
                head.iter_mut().zip(header).for_each(|(to, from)| *to = from);
                Some(Outgoing { head, head_len: HEADER_LEN, body: Body::Sealed(sealed) })
            }
            Err(error) => {
                self.fail(Code::ERROR, error.to_string());
                None
            }
        }
    }

    fn count_sent(&mut self, id: ChannelId, bytes: usize) {
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += bytes as u64;
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.stats.packets_sent += 1;
            channel.stats.bytes_sent += bytes as u64;
        }
    }
}

/// The next piece of a message and what it costs, if there is credit for it.
fn next_piece(message: &Message, credit: u64, tag: usize, max_fragment: usize) -> Option<(Piece, u64)> {
    let extra = if message.sent == 0 { message.extra } else { 0 };
    let besides = PACKET_COST as usize + tag + extra;
    let budget = usize::try_from(credit).unwrap_or(usize::MAX).checked_sub(besides)?;
    let piece = Piece::next(message.len(), message.sent, budget, max_fragment)?;
    let prefix = if piece.fragment { PREFIX_LEN } else { 0 };
    Some((piece, (besides + prefix + piece.take) as u64))
}

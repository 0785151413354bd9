//! Putting sections together out of packets, ISO/IEC 13818-1 section 2.4.4.

use super::crc::crc32;
use super::packet::Packet;

/// No section is longer, 12 bits of length and 3 bytes before it.
const LONGEST: usize = 4096 + 3;
/// Packets of one section that are kept: what the longest takes, and one with the end of another.
const MOST_PACKETS: usize = LONGEST / 183 + 2;
const STUFFING: u8 = 0xff;

/// Gathers the sections of one PID.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    data: Vec<u8>,
    packets: Vec<u8>,
    counter: u8,
    under_way: bool,
}

/// A section that is whole and whose CRC is right.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub(crate) bytes: &'a [u8],
    /// The packets that it came in.
    pub(crate) packets: &'a [u8],
}

impl Sections {
    /// Takes a packet in, calls back for each section that it completes.
    pub(crate) fn push(&mut self, packet: &Packet, mut each: impl FnMut(Section)) {
        let Some((&pointer, after)) = packet.payload.split_first() else { return };
        if !packet.starts() {
            if self.follows(packet) {
                self.packets.extend_from_slice(packet.bytes);
                self.more(packet.payload, &mut each);
            }
            return;
        }
        let (tail, fresh) = after.split_at(usize::from(pointer).min(after.len()));
        if self.follows(packet) {
            self.packets.extend_from_slice(packet.bytes);
            self.more(tail, &mut each);
        }
        self.reset();
        self.under_way = true;
        self.counter = packet.counter();
        self.packets.extend_from_slice(packet.bytes);
        self.more(fresh, &mut each);
    }

    /// Whether the packet continues the section under way; if one was lost, that section is dropped.
    fn follows(&mut self, packet: &Packet) -> bool {
        if !self.under_way {
            return false;
        }
        let same = packet.counter() == self.counter;
        let next = packet.counter() == (self.counter + 1) & 0x0f;
        self.counter = packet.counter();
        if !next && !same || self.packets.len() >= MOST_PACKETS * super::PACKET {
            self.reset();
        }
        // The same packet twice is allowed and says nothing new.
        next && self.under_way
    }

    fn more(&mut self, bytes: &[u8], each: &mut impl FnMut(Section)) {
        self.data.extend_from_slice(bytes);
        while let [id, high, low, ..] = *self.data.as_slice() {
            let len = 3 + (usize::from(high & 0x0f) << 8 | usize::from(low));
            if id == STUFFING {
                break;
            }
            let Some(section) = self.data.get(..len) else { return };
            if crc32(section) == 0 {
                each(Section { bytes: section, packets: &self.packets });
            }
            self.data.drain(..len);
            let last = self.packets.len().saturating_sub(super::PACKET);
            self.packets.drain(..last);
        }
        if self.data.first().is_none_or(|id| *id == STUFFING) {
            self.reset();
        }
    }

    pub(crate) fn reset(&mut self) {
        self.data.clear();
        self.packets.clear();
        self.under_way = false;
    }
}

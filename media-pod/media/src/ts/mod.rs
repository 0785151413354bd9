//! MPEG-2 transport stream, ISO/IEC 13818-1.
//!
//! Only the four bytes of a packet's header are looked at, unless its PID carries a table, the video or the PCR.

mod codec;
mod crc;
mod key;
mod packet;
mod pes;
mod program;
mod section;
mod splice;
pub(crate) mod sync;

use bytes::Bytes;
use millrace_bus::Container;

use crate::found::Found;
use packet::Packet;
use pes::Pictures;
use program::Programs;
use sync::Sync;

/// Whatever it carries: there is no `audio/mp2t`.
pub(crate) const CONTENT_TYPE: &str = "video/mp2t";
/// Size of a packet.
pub(crate) const PACKET: usize = 188;

/// The parser of a transport stream.
#[derive(Debug, Default)]
pub(crate) struct Ts {
    /// Offset of the next byte to come.
    at: u64,
    synced: bool,
    ever_synced: bool,
    /// The packet that is under way, or the bytes among which sync is looked for.
    gathered: Vec<u8>,
    programs: Programs,
    pictures: Pictures,
}

impl Ts {
    pub(crate) fn push(&mut self, chunk: &[u8], found: &mut Found) {
        let mut rest = chunk;
        while !rest.is_empty() {
            rest = match (self.synced, self.gathered.is_empty()) {
                (false, _) => self.hunt(rest, found),
                (true, false) => self.complete(rest, found),
                (true, true) => self.run(rest, found),
            };
        }
    }

    /// Whole packets straight from the chunk; the rest of it begins a packet or is out of sync.
    fn run<'a>(&mut self, chunk: &'a [u8], found: &mut Found) -> &'a [u8] {
        let start = self.at;
        let (packets, _) = chunk.as_chunks::<PACKET>();
        for packet in packets {
            if packet[0] != packet::SYNC {
                break;
            }
            self.packet(packet, self.at, found);
            self.at += PACKET as u64;
        }
        let rest = chunk.get((self.at - start) as usize..).unwrap_or_default();
        let begun = rest.len() < PACKET && rest.first() == Some(&packet::SYNC);
        let units = (self.at - start) / PACKET as u64 + u64::from(begun);
        if let Some(last) = units.checked_sub(1) {
            found.every(start, PACKET as u32, start + last * PACKET as u64);
        }
        if begun {
            self.gathered.extend_from_slice(rest);
            self.at += rest.len() as u64;
            return &[];
        }
        self.synced = rest.is_empty();
        rest
    }

    /// The rest of a packet whose beginning came with an earlier chunk.
    fn complete<'a>(&mut self, chunk: &'a [u8], found: &mut Found) -> &'a [u8] {
        let missing = PACKET - self.gathered.len().min(PACKET);
        let (more, rest) = chunk.split_at(missing.min(chunk.len()));
        self.gathered.extend_from_slice(more);
        self.at += more.len() as u64;
        let gathered = std::mem::take(&mut self.gathered);
        if let Some(packet) = gathered.first_chunk::<PACKET>() {
            self.packet(packet, self.at - PACKET as u64, found);
        }
        self.gathered = gathered;
        if self.gathered.len() >= PACKET {
            self.gathered.clear();
        }
        rest
    }

    /// Looks for sync; keeps no more than the packets it takes to be sure.
    fn hunt<'a>(&mut self, chunk: &'a [u8], found: &mut Found) -> &'a [u8] {
        let wanted = sync::SURE - self.gathered.len().min(sync::SURE);
        let (more, rest) = chunk.split_at(wanted.min(chunk.len()));
        self.gathered.extend_from_slice(more);
        self.at += more.len() as u64;
        let base = self.at - self.gathered.len() as u64;
        let likely = self.ever_synced;
        let needed = |at| if likely || base + at as u64 == 0 { sync::LIKELY } else { sync::UNLIKELY };
        match sync::find(&self.gathered, 0, needed) {
            Sync::At(at) => {
                self.synced = true;
                self.ever_synced = true;
                found.container = Some(Container::MpegTs);
                self.pictures.lost();
                self.programs.lost();
                let gathered = std::mem::take(&mut self.gathered);
                self.at = base + at as u64;
                let mut left = gathered.get(at..).unwrap_or_default();
                while self.synced && !left.is_empty() {
                    left = self.run(left, found);
                }
                if !left.is_empty() {
                    // Out of sync again: what is left is shorter than what is gathered to be sure.
                    self.gathered = left.to_vec();
                    self.at += left.len() as u64;
                }
            }
            Sync::Maybe(from) => {
                self.gathered.drain(..from.min(self.gathered.len()));
            }
        }
        rest
    }

    fn packet(&mut self, bytes: &[u8; PACKET], at: u64, found: &mut Found) {
        let pid = packet::pid(bytes);
        let part = self.programs.part(pid);
        if part.nothing() || packet::broken(bytes) {
            return;
        }
        let packet = Packet::new(bytes, pid);
        if part.table() && self.programs.table(&packet, found) {
            self.pictures.watch(self.programs.main());
        }
        if part.pcr() {
            if packet.discontinuity() {
                found.clock.cut();
            }
            if let Some(pcr) = packet.pcr() {
                found.clock.feed(pcr, packet::PCR_HZ, Some(packet::PCR_WRAP));
            }
        }
        if part.main() {
            self.pictures.packet(&packet, at, found);
        }
    }

    /// Stuffing to the end of the packet under way.
    pub(crate) fn completion(&self) -> Bytes {
        if self.synced { splice::completion(self.gathered.len()) } else { Bytes::new() }
    }
}

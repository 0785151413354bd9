//! PAT and PMT: which PID carries what, ISO/IEC 13818-1 sections 2.4.4.3 and 2.4.4.8.

use bytes::{Bytes, BytesMut};
use millrace_bus::{Container, Track, TrackKind};

use super::packet::Packet;
use super::section::{Section, Sections};
use super::{CONTENT_TYPE, codec, splice};
use crate::found::{Found, track};
use crate::read::{be, byte, part};

const PAT_PID: u16 = 0;
const PIDS: usize = 8192;
/// Programs followed of one stream.
const MOST_PROGRAMS: usize = 16;
/// Elementary streams followed of one program.
const MOST_STREAMS: usize = 64;

/// What a PID is to us, as bits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part(u8);

impl Part {
    const TABLE: u8 = 1;
    const PCR: u8 = 2;
    const MAIN: u8 = 4;

    pub(crate) fn nothing(self) -> bool {
        self.0 == 0
    }
    pub(crate) fn table(self) -> bool {
        self.0 & Self::TABLE != 0
    }
    pub(crate) fn pcr(self) -> bool {
        self.0 & Self::PCR != 0
    }
    pub(crate) fn main(self) -> bool {
        self.0 & Self::MAIN != 0
    }
}

/// An elementary stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elementary {
    pub(crate) pid: u16,
    pub(crate) track: Track,
}

#[derive(Debug, Default)]
struct Program {
    number: u16,
    pmt_pid: u16,
    sections: Sections,
    section: Vec<u8>,
    packets: Bytes,
    pcr_pid: Option<u16>,
    streams: Vec<Elementary>,
}

/// The tables of a stream.
#[derive(Debug)]
pub(crate) struct Programs {
    parts: Box<[Part; PIDS]>,
    sections: Sections,
    section: Vec<u8>,
    packets: Bytes,
    list: Vec<Program>,
    /// PATs seen since the newest one that said something new.
    repeats: u32,
}

impl Default for Programs {
    fn default() -> Self {
        let mut programs = Self {
            parts: Box::new([Part(0); PIDS]),
            sections: Sections::default(),
            section: Vec::new(),
            packets: Bytes::new(),
            list: Vec::new(),
            repeats: 0,
        };
        programs.assign();
        programs
    }
}

impl Programs {
    pub(crate) fn part(&self, pid: u16) -> Part {
        self.parts.get(usize::from(pid)).copied().unwrap_or_default()
    }

    /// Bytes are missing: sections under way are no good.
    pub(crate) fn lost(&mut self) {
        self.sections.reset();
        self.list.iter_mut().for_each(|p| p.sections.reset());
    }

    /// A packet of a table. True if what is where has changed.
    pub(crate) fn table(&mut self, packet: &Packet, found: &mut Found) -> bool {
        let changed = if packet.pid == PAT_PID { self.pat(packet) } else { self.pmt(packet) };
        if changed {
            self.assign();
        }
        let known = self.list.iter().filter(|p| !p.packets.is_empty()).count();
        // A program may be announced and never sent: after a second PAT what is there is all there is.
        if known > 0 && (known == self.list.len() || self.repeats > 0) && (changed || found.format.is_none())
        {
            self.report(found);
        }
        changed
    }

    /// The stream by which random access and frames are told: the first video, else audio, else whatever there is.
    pub(crate) fn main(&self) -> Option<&Elementary> {
        [TrackKind::Video, TrackKind::Audio, TrackKind::Other]
            .into_iter()
            .find_map(|kind| self.streams().find(|s| s.track.kind == kind))
    }

    fn streams(&self) -> impl Iterator<Item = &Elementary> {
        self.list.iter().flat_map(|p| &p.streams)
    }

    fn pat(&mut self, packet: &Packet) -> bool {
        let (mut changed, mut again) = (false, 0);
        let Self { sections, section, packets, list, .. } = self;
        sections.push(packet, |new| {
            if byte(new.bytes, 0) != Some(0) || !current(&new) {
                return;
            }
            if *section == new.bytes {
                again += 1;
                return;
            }
            changed = true;
            section.clear();
            section.extend_from_slice(new.bytes);
            *packets = Bytes::copy_from_slice(new.packets);
            *list = listed(new.bytes, std::mem::take(list));
        });
        self.repeats = if changed { 0 } else { self.repeats.saturating_add(again) };
        changed
    }

    fn pmt(&mut self, packet: &Packet) -> bool {
        let mut changed = false;
        for program in self.list.iter_mut().filter(|p| p.pmt_pid == packet.pid) {
            let Program { number, sections, section, packets, pcr_pid, streams, .. } = program;
            sections.push(packet, |new| {
                let mine = byte(new.bytes, 0) == Some(2) && be(new.bytes, 3, 2) == Some(u64::from(*number));
                if !mine || !current(&new) || *section == new.bytes {
                    return;
                }
                let Some((pcr, list)) = elementary(new.bytes) else { return };
                changed = true;
                section.clear();
                section.extend_from_slice(new.bytes);
                *packets = Bytes::copy_from_slice(new.packets);
                *pcr_pid = pcr;
                *streams = list;
            });
        }
        changed
    }

    fn assign(&mut self) {
        self.parts.fill(Part(0));
        let main = self.main().map(|s| s.pid);
        let pcr =
            self.list.iter().find(|p| p.streams.iter().any(|s| Some(s.pid) == main)).and_then(|p| p.pcr_pid);
        let tables = std::iter::once(PAT_PID).chain(self.list.iter().map(|p| p.pmt_pid));
        let marked = tables.map(|pid| (pid, Part::TABLE)).chain(main.map(|pid| (pid, Part::MAIN)));
        for (pid, bit) in marked.chain(pcr.map(|pid| (pid, Part::PCR))) {
            if let Some(part) = self.parts.get_mut(usize::from(pid)) {
                part.0 |= bit;
            }
        }
    }

    fn report(&self, found: &mut Found) {
        let tracks: Vec<Track> = self.streams().map(|s| s.track.clone()).collect();
        found.set_format(Container::MpegTs, CONTENT_TYPE, &tracks);
        let mut header = BytesMut::from(&self.packets[..]);
        let mut pids = vec![PAT_PID];
        for program in &self.list {
            header.extend_from_slice(&program.packets);
            pids.push(program.pmt_pid);
            pids.extend(program.streams.iter().map(|s| s.pid));
            pids.extend(program.pcr_pid);
        }
        found.set_header(header.freeze(), splice::announcement(&mut pids));
    }
}

/// Whether the section applies now, and is the first of its table: others would only add programs.
fn current(section: &Section) -> bool {
    byte(section.bytes, 5).is_some_and(|b| b & 1 == 1) && byte(section.bytes, 6) == Some(0)
}

/// The programs of a PAT; those already known stay as they are.
fn listed(pat: &[u8], old: Vec<Program>) -> Vec<Program> {
    let mut old = old;
    let entries = part(pat, 8, pat.len().saturating_sub(12)).unwrap_or_default();
    let mut programs = Vec::new();
    for entry in entries.as_chunks::<4>().0 {
        let number = u16::from_be_bytes([entry[0], entry[1]]);
        let pmt_pid = u16::from_be_bytes([entry[2], entry[3]]) & 0x1fff;
        if number == 0 || pmt_pid == PAT_PID || programs.len() == MOST_PROGRAMS {
            continue;
        }
        let known = old.iter().position(|p| p.number == number && p.pmt_pid == pmt_pid);
        programs.push(match known {
            Some(at) => old.swap_remove(at),
            None => Program { number, pmt_pid, ..Program::default() },
        });
    }
    programs
}

/// PCR PID and elementary streams of a PMT.
fn elementary(pmt: &[u8]) -> Option<(Option<u16>, Vec<Elementary>)> {
    let pcr = (be(pmt, 8, 2)? & 0x1fff) as u16;
    let info = (be(pmt, 10, 2)? & 0x0fff) as usize;
    let mut rest = pmt.get(12 + info..pmt.len().checked_sub(4)?)?;
    let mut streams = Vec::new();
    while let [kind, a, b, c, d, after @ ..] = rest {
        let pid = u16::from_be_bytes([*a, *b]) & 0x1fff;
        let len = usize::from(u16::from_be_bytes([*c, *d]) & 0x0fff);
        let descriptors = after.get(..len)?;
        rest = after.get(len..)?;
        if streams.len() < MOST_STREAMS {
            let (kind, codec) = codec::codec(*kind, descriptors);
            streams.push(Elementary { pid, track: track(kind, codec) });
        }
    }
    Some(((pcr != 0x1fff).then_some(pcr), streams))
}

#[cfg(test)]
mod tests {
    use super::super::{PACKET, crc::crc32};
    use super::*;

    /// A section with its length and CRC.
    fn section(id: u8, number: u16, body: &[u8]) -> Vec<u8> {
        let len = (body.len() + 9) as u16;
        let mut bytes = vec![id];
        bytes.extend_from_slice(&(0xb000 | len).to_be_bytes());
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&[0xc1, 0, 0]);
        bytes.extend_from_slice(body);
        let crc = crc32(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// The packets that carry sections, one after another.
    fn packets(pid: u16, sections: &[u8]) -> Vec<[u8; PACKET]> {
        let payload = [&[0][..], sections].concat();
        let packet = |(n, part): (usize, &[u8])| {
            let start = if n == 0 { 0x40 } else { 0 };
            let mut packet = [0xff; PACKET];
            packet[..4].copy_from_slice(&[0x47, start | (pid >> 8) as u8, pid as u8, 0x10 | (n % 16) as u8]);
            packet[4..4 + part.len()].copy_from_slice(part);
            packet
        };
        payload.chunks(PACKET - 4).enumerate().map(packet).collect()
    }

    fn feed(programs: &mut Programs, found: &mut Found, pid: u16, packets: &[[u8; PACKET]]) {
        for packet in packets {
            programs.table(&Packet::new(packet, pid), found);
        }
    }

    fn pmt(streams: u16) -> Vec<u8> {
        let mut body = vec![0xe1, 0x00, 0xf0, 0x00];
        for n in 0..streams {
            let [high, low] = (0xe100 + n).to_be_bytes();
            body.extend_from_slice(&[if n == 0 { 0x1b } else { 0x06 }, high, low, 0xf0, 10, 0x0a, 8]);
            body.extend_from_slice(&[b'x'; 8]);
        }
        section(2, 1, &body)
    }

    #[test]
    fn a_table_of_several_packets_is_put_together_and_a_damaged_one_is_not_believed() {
        let (mut programs, mut found) = (Programs::default(), Found::default());
        feed(&mut programs, &mut found, 0, &packets(0, &section(0, 7, &[0, 1, 0xf0, 0x00])));
        let whole = packets(0x1000, &pmt(50));
        assert_eq!(whole.len(), 5);
        let mut damaged = whole.clone();
        damaged[2][100] ^= 1;
        feed(&mut programs, &mut found, 0x1000, &damaged);
        let mut lacking = whole.clone();
        lacking.remove(3);
        feed(&mut programs, &mut found, 0x1000, &lacking);
        assert!(found.format.is_none() && found.header.is_none());
        feed(&mut programs, &mut found, 0x1000, &whole);
        assert_eq!(found.format.as_ref().unwrap().tracks.len(), 50);
        let header = found.header.clone().unwrap();
        assert_eq!(header.bytes.len(), 6 * PACKET);
        assert_eq!(header.bytes[PACKET..], whole.concat());
        assert_eq!(header.splice.len(), (2 + 50) * PACKET);
        let mut twice = whole.clone();
        twice.insert(2, whole[1]);
        feed(&mut programs, &mut found, 0x1000, &twice);
        assert_eq!(found.version, 1, "a repeated packet and a repeated table are no news");
        feed(&mut programs, &mut found, 0x1000, &packets(0x1000, &pmt(2)));
        assert_eq!((found.version, found.format.unwrap().tracks.len()), (2, 2));
        assert!(programs.part(0x100).main() && programs.part(0x100).pcr() && programs.part(0x101).nothing());
    }

    #[test]
    fn a_program_that_is_announced_and_never_sent_is_not_waited_for() {
        let (mut programs, mut found) = (Programs::default(), Found::default());
        let pat = packets(0, &section(0, 7, &[0, 1, 0xf0, 0x00, 0, 2, 0xf0, 0x01]));
        feed(&mut programs, &mut found, 0, &pat);
        feed(&mut programs, &mut found, 0x1000, &packets(0x1000, &pmt(1)));
        assert!(found.format.is_none());
        feed(&mut programs, &mut found, 0, &pat);
        assert_eq!(found.format.unwrap().tracks.len(), 1);
    }

    #[test]
    fn two_sections_in_one_packet_are_both_read() {
        let (mut programs, mut found) = (Programs::default(), Found::default());
        feed(&mut programs, &mut found, 0, &packets(0, &section(0, 7, &[0, 1, 0xf0, 0x00])));
        let both = [section(2, 9, &[0xe1, 0, 0xf0, 0]), pmt(1)].concat();
        feed(&mut programs, &mut found, 0x1000, &packets(0x1000, &both));
        assert_eq!(found.format.unwrap().tracks.len(), 1);
    }
}

//! As much of MPEG-TS (ISO/IEC 13818-1) as a bench needs, and the stamp packet.

/// Bytes of a transport stream packet.
pub const PACKET: usize = 188;
/// The first byte of every packet.
pub const SYNC: u8 = 0x47;
/// The PID of stamps: in no PMT, so players pass over it.
pub const STAMP_PID: u16 = 0x1abc;
const MAGIC: &[u8; 8] = b"millrace";

/// What one write of the source carries at its start and at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `CLOCK_MONOTONIC` when the write began, in nanoseconds.
    pub ns: u64,
    /// Number of the write, from 0.
    pub seq: u64,
    /// The write holds bytes of a key frame.
    pub key: bool,
    /// This is the packet that ends the write, not the one that begins it.
    pub last: bool,
}

impl Stamp {
    /// The stamp as a packet with the continuity counter `cc`.
    pub fn packet(&self, cc: u8) -> [u8; PACKET] {
        let mut p = [0xff; PACKET];
        let [hi, lo] = STAMP_PID.to_be_bytes();
        let flags = u8::from(self.key) | u8::from(self.last) << 1;
        let head = [SYNC, hi, lo, 0x10 | (cc & 0x0f)];
        let body = head.iter().chain(MAGIC).copied().chain([flags]);
        let body = body.chain(self.ns.to_be_bytes()).chain(self.seq.to_be_bytes());
        for (to, from) in p.iter_mut().zip(body) {
            *to = from;
        }
        p
    }

    /// Reads a stamp out of a packet; `None` when it is none.
    pub fn read(p: &[u8]) -> Option<Self> {
        if pid(p)? != STAMP_PID || p.get(4..12)? != MAGIC {
            return None;
        }
        let flags = *p.get(12)?;
        let ns = u64::from_be_bytes(p.get(13..21)?.try_into().ok()?);
        let seq = u64::from_be_bytes(p.get(21..29)?.try_into().ok()?);
        Some(Self { ns, seq, key: flags & 1 != 0, last: flags & 2 != 0 })
    }
}

/// The PID of a packet.
#[inline]
pub fn pid(p: &[u8]) -> Option<u16> {
    match p {
        [_, hi, lo, ..] => Some(u16::from_be_bytes([hi & 0x1f, *lo])),
        _ => None,
    }
}

/// Whether a section or PES begins in this packet (payload unit start indicator).
pub fn starts_unit(p: &[u8]) -> bool {
    p.get(1).is_some_and(|b| b & 0x40 != 0)
}

/// The random access indicator of the adaptation field.
pub fn random_access(p: &[u8]) -> bool {
    let has_field = p.get(3).is_some_and(|b| b & 0x20 != 0);
    has_field && p.get(4).is_some_and(|n| *n > 0) && p.get(5).is_some_and(|b| b & 0x40 != 0)
}

/// Where the payload begins; `None` when there is none.
pub fn payload(p: &[u8]) -> Option<usize> {
    let control = p.get(3)? >> 4 & 3;
    match control {
        1 => Some(4),
        3 => Some(5 + usize::from(*p.get(4)?)).filter(|at| *at < PACKET),
        _ => None,
    }
}

fn section(p: &[u8]) -> Option<&[u8]> {
    let body = p.get(payload(p)?..)?;
    body.get(1 + usize::from(*body.first()?)..)
}

/// The PID of the first program's PMT, from a PAT packet.
pub fn pmt_pid(pat: &[u8]) -> Option<u16> {
    if pid(pat)? != 0 || !starts_unit(pat) {
        return None;
    }
    let s = section(pat)?;
    s.get(8..)?.chunks_exact(4).find_map(|e| match e {
        [0, 0, ..] => None,
        [_, _, hi, lo] => Some(u16::from_be_bytes([hi & 0x1f, *lo])),
        _ => None,
    })
}

/// The PID of the first H.264 stream, from a PMT packet.
pub fn video_pid(pmt: &[u8]) -> Option<u16> {
    let s = section(pmt)?;
    let length = usize::from(u16::from_be_bytes([s.get(1)? & 0x0f, *s.get(2)?]));
    let info = usize::from(u16::from_be_bytes([s.get(10)? & 0x0f, *s.get(11)?]));
    let mut at = 12 + info;
    while at + 5 <= (3 + length).saturating_sub(4) {
        let e = s.get(at..at + 5)?;
        let [kind, hi, lo, len_hi, len_lo] = e else { return None };
        if *kind == 0x1b {
            return Some(u16::from_be_bytes([hi & 0x1f, *lo]));
        }
        at += 5 + usize::from(u16::from_be_bytes([len_hi & 0x0f, *len_lo]));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stamp_comes_back_as_it_was_written() {
        let s = Stamp { ns: 123_456_789_012, seq: 77, key: true, last: false };
        assert_eq!(Stamp::read(&s.packet(5)), Some(s));
        assert_eq!(s.packet(5)[3], 0x15);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(mut p in proptest::collection::vec(any::<u8>(), 0..200), zero: bool) {
            if zero && p.len() > 3 {
                p[1] = 0x40;
                p[2] = 0;
                p[3] = 0x10;
            }
            let _ = (Stamp::read(&p), pmt_pid(&p), video_pid(&p), payload(&p), random_access(&p));
        }
    }
}

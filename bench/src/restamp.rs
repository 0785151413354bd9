//! Makes a clip that is played in a loop one stream: continuity counters and clocks go on over the seam.

use crate::ts::{self, PACKET};

/// Where the rewriting has got to.
pub struct Restamp {
    counters: Vec<u8>,
}

impl Default for Restamp {
    fn default() -> Self {
        Self { counters: vec![0; 0x2000] }
    }
}

impl Restamp {
    /// The next continuity counter of a PID.
    pub fn next_counter(&mut self, pid: u16) -> u8 {
        let Some(c) = self.counters.get_mut(usize::from(pid)) else { return 0 };
        let now = *c;
        *c = (now + 1) & 0x0f;
        now
    }

    /// Rewrites whole packets in place; `shift` in 90 kHz ticks is added to PCR, PTS and DTS.
    pub fn rewrite(&mut self, packets: &mut [u8], shift: u64) {
        for p in packets.chunks_exact_mut(PACKET) {
            let pid = ts::pid(p).unwrap_or(0x1fff);
            if pid == 0x1fff {
                continue;
            }
            let body = ts::payload(p);
            let counter = match body {
                Some(_) => self.next_counter(pid),
                None => self.counters.get(usize::from(pid)).map_or(0, |c| c.wrapping_sub(1) & 0x0f),
            };
            if let Some(b) = p.get_mut(3) {
                *b = *b & 0xf0 | counter;
            }
            if shift > 0 {
                shift_clocks(p, body, shift);
            }
        }
    }
}

fn shift_clocks(p: &mut [u8], body: Option<usize>, shift: u64) {
    let has_field = p.get(3).is_some_and(|b| b & 0x20 != 0);
    if has_field && p.get(4).is_some_and(|n| *n >= 7) && p.get(5).is_some_and(|b| b & 0x10 != 0) {
        shift_pcr(p, shift);
    }
    let Some(at) = body.filter(|_| ts::starts_unit(p)) else { return };
    let flags = match p.get(at..at + 9) {
        Some([0, 0, 1, 0xc0..=0xef, _, _, _, flags, _]) => *flags,
        _ => return,
    };
    if flags & 0x80 != 0 {
        shift_pts(p, at + 9, shift);
    }
    if flags & 0x40 != 0 {
        shift_pts(p, at + 14, shift);
    }
}

fn shift_pcr(p: &mut [u8], shift: u64) {
    let Some(field) = p.get_mut(6..12) else { return };
    let old = field.iter().fold(0_u64, |v, b| v << 8 | u64::from(*b));
    let base = ((old >> 15) + shift) & 0x1_ffff_ffff;
    let new = base << 15 | old & 0x7fff;
    for (to, from) in field.iter_mut().zip(new.to_be_bytes().into_iter().skip(2)) {
        *to = from;
    }
}

/// 33 bits in three pieces, each followed by a marker bit.
fn shift_pts(packet: &mut [u8], at: usize, shift: u64) {
    let Some(field) = packet.get_mut(at..at + 5) else { return };
    let raw = field.iter().fold(0_u64, |v, b| v << 8 | u64::from(*b));
    let old = raw >> 3 & 7 << 30 | raw >> 1 & 0x7fff | raw >> 2 & 0x7fff << 15;
    let new = (old + shift) & 0x1_ffff_ffff;
    let pieces = (new >> 30) << 33 | (new >> 15 & 0x7fff) << 17 | (new & 0x7fff) << 1;
    let raw = raw & 0xf0 << 32 | pieces | 1 << 32 | 1 << 16 | 1;
    for (to, from) in field.iter_mut().zip(raw.to_be_bytes().into_iter().skip(3)) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_go_on_and_clocks_are_shifted() {
        // adaptation field with a PCR, then a PES with PTS 0x1_2345_6789
        let mut p = [0xff_u8; PACKET];
        p[..12].copy_from_slice(&[0x47, 0x41, 0x00, 0x3a, 7, 0x10, 0, 0, 0, 1, 0x80 | 0x7e, 0x05]);
        p[12..21].copy_from_slice(&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5]);
        p[21..26].copy_from_slice(&[0x29, 0x8d, 0x15, 0xcf, 0x13]);
        let mut r = Restamp::default();
        r.rewrite(&mut p, 0);
        assert_eq!((p[3], pts(&p)), (0x30, 0x1_2345_6789));
        r.rewrite(&mut p, 90_000);
        assert_eq!((p[3], pts(&p)), (0x31, 0x1_2345_6789 + 90_000));
        let base = p[6..11].iter().fold(0_u64, |v, b| v << 8 | u64::from(*b)) >> 7;
        assert_eq!((base, p[11]), (3 + 90_000, 0x05));
        assert_eq!([p[21] & 0xf1, p[23] & 1, p[25] & 1], [0x21, 1, 1]);
    }

    fn pts(p: &[u8]) -> u64 {
        u64::from(p[21] >> 1 & 7) << 30
            | u64::from(p[22]) << 22
            | u64::from(p[23] >> 1) << 15
            | u64::from(p[24]) << 7
            | u64::from(p[25] >> 1)
    }
}

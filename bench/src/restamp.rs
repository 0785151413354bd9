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

fn shift_pts(p: &mut [u8], at: usize, shift: u64) {
    let Some([a, b, c, d, e]) = p.get_mut(at..at + 5) else { return };
    let old = u64::from(*a >> 1 & 7) << 30
        | u64::from(*b) << 22
        | u64::from(*c >> 1) << 15
        | u64::from(*d) << 7
        | u64::from(*e >> 1);
    let new = (old + shift) & 0x1_ffff_ffff;
    *a = *a & 0xf0 | (new >> 29 & 0x0e) as u8 | 1;
    *b = (new >> 22) as u8;
    *c = (new >> 14 & 0xfe) as u8 | 1;
    *d = (new >> 7) as u8;
    *e = (new << 1) as u8 | 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_go_on_and_clocks_are_shifted() {
        // adaptation field with a PCR, then a PES with PTS
        let mut p = [0xff_u8; PACKET];
        p[..12].copy_from_slice(&[0x47, 0x41, 0x00, 0x3a, 7, 0x10, 0, 0, 0, 1, 0x80 | 0x7e, 0x05]);
        p[12..26].copy_from_slice(&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 3]);
        let mut r = Restamp::default();
        r.rewrite(&mut p, 0);
        assert_eq!(p[3], 0x30);
        r.rewrite(&mut p, 90_000);
        assert_eq!(p[3], 0x31);
        let base = p[6..11].iter().fold(0_u64, |v, b| v << 8 | u64::from(*b)) >> 7;
        assert_eq!(base, 3 + 90_000);
        assert_eq!(p[11], 0x05);
        let pts = &p[21..26];
        let got = u64::from(pts[0] >> 1 & 7) << 30
            | u64::from(pts[1]) << 22
            | u64::from(pts[2] >> 1) << 15
            | u64::from(pts[3]) << 7
            | u64::from(pts[4] >> 1);
        assert_eq!(got, 1 + 90_000);
    }
}

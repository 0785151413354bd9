//! What is in an MPEG-TS as it comes: pictures, their times, and which run of the source they are of. Pure.

const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// Where the service's name is (ETSI EN 300 468).
const SDT: u16 = 0x11;
/// How a run begins in the service's name, and what ends it.
const RUN: (&[u8], u8) = (b"run:", b';');

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A picture begins.
    Picture {
        /// Decoding can begin at it.
        key: bool,
        /// Its presentation time in ticks of 90 kHz, where it has one.
        pts: Option<u64>,
    },
    /// What follows is of this run of the source.
    Run(String),
    /// A packet did not begin where it should.
    OutOfStep,
}

/// Follows one transport stream.
#[derive(Debug, Default)]
pub struct Scan {
    rest: Vec<u8>,
    run: Option<String>,
    lost: bool,
}

impl Scan {
    /// Takes what came next.
    pub fn take(&mut self, bytes: &[u8], mut found: impl FnMut(Found)) {
        self.rest.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.rest);
        let mut left = all.as_slice();
        while let Some((packet, after)) = left.split_at_checked(PACKET) {
            if packet[0] == SYNC {
                self.lost = false;
                self.packet(packet, &mut found);
                left = after;
            } else {
                if !self.lost {
                    found(Found::OutOfStep);
                }
                self.lost = true;
                left = &left[1..];
            }
        }
        self.rest = left.to_vec();
    }

    fn packet(&mut self, packet: &[u8], found: &mut impl FnMut(Found)) {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let begins = packet[1] & 0x40 != 0;
        let field = packet[3] & 0x20 != 0;
        let at = if field { 5 + usize::from(packet[4]) } else { 4 };
        let Some(payload) = packet.get(at..).filter(|_| begins && packet[3] & 0x10 != 0) else { return };
        if pid == SDT {
            if let Some(run) = run_in(payload).filter(|run| self.run.as_ref() != Some(run)) {
                self.run = Some(run.clone());
                found(Found::Run(run));
            }
        } else if let [0, 0, 1, 0xe0..=0xef, _, _, _, flags, _, times @ ..] = payload {
            let key = field && packet[4] > 0 && packet[5] & 0x40 != 0;
            found(Found::Picture { key, pts: (flags & 0x80 != 0).then(|| pts_of(times)).flatten() });
        }
    }
}

fn run_in(table: &[u8]) -> Option<String> {
    let begin = table.windows(RUN.0.len()).position(|four| four == RUN.0)? + RUN.0.len();
    let text = table.get(begin..)?;
    let end = text.iter().position(|byte| *byte == RUN.1)?;
    Some(String::from_utf8_lossy(&text[..end]).into_owned())
}

/// 33 bits in three pieces, each followed by a marker bit.
fn pts_of(field: &[u8]) -> Option<u64> {
    let raw = field.get(..5)?.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    Some((raw >> 3 & 7 << 30) | (raw >> 2 & 0x7fff << 15) | (raw >> 1 & 0x7fff))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pid: u16, field: &[u8], payload: &[u8]) -> Vec<u8> {
        let [high, low] = pid.to_be_bytes();
        let mut all = vec![SYNC, 0x40 | high, low, if field.is_empty() { 0x10 } else { 0x30 }];
        if !field.is_empty() {
            all.push(u8::try_from(field.len()).unwrap());
            all.extend(field);
        }
        all.extend(payload);
        all.resize(PACKET, 0xff);
        all
    }

    #[test]
    fn pictures_and_runs_are_found_wherever_the_bytes_are_cut() {
        let pes = [0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x29, 0x8d, 0x15, 0xcf, 0x13];
        let mut all = packet(SDT, &[], b"\0....run:pod-a/1;..");
        all.extend(packet(0x100, &[0x40], &pes));
        all.extend(packet(0x100, &[0], &[0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0]));
        all.extend(packet(0x101, &[], &[0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0]));
        all.extend(packet(SDT, &[], b"run:pod-a/1;"));
        all.extend([1, 2, 3]);
        all.extend(packet(SDT, &[], b"run:pod-b/2;"));
        let picture = |key, pts| Found::Picture { key, pts };
        let expected = [
            Found::Run("pod-a/1".into()),
            picture(true, Some(0x1_2345_6789)),
            picture(false, None),
            Found::OutOfStep,
            Found::Run("pod-b/2".into()),
        ];
        for piece in [1, 7, 187, 188, 1000] {
            let (mut scan, mut found) = (Scan::default(), Vec::new());
            all.chunks(piece).for_each(|bytes| scan.take(bytes, |one| found.push(one)));
            assert_eq!(found[..expected.len()], expected, "{piece}");
        }
    }
}

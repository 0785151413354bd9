//! Which pictures that need no other come to a viewer, when, and from which source.

use std::time::Instant;

use crate::experiments::finder::Finder;
use crate::ts::{PACKET, SYNC, Stamp};

/// Where in one answer a viewer is.
#[derive(Default)]
pub struct Pictures {
    rest: Vec<u8>,
    synced: bool,
    finder: Finder,
    /// When a picture began that no stamp has followed yet.
    begun: Option<Instant>,
}

impl Pictures {
    /// Takes the bytes that came at `now`; `found` is told of pictures that are complete: when the first byte of each
    /// came, and the number of the write that brought it.
    pub fn feed(&mut self, bytes: &[u8], now: Instant, found: &mut dyn FnMut(Instant, u64)) {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(packet) = all.get(at..at + PACKET) {
            let next = all.get(at + PACKET);
            if packet.first() != Some(&SYNC) || !self.synced && next.is_some_and(|byte| *byte != SYNC) {
                self.synced = false;
                at += 1;
                continue;
            }
            if !self.synced && next.is_none() {
                break;
            }
            self.synced = true;
            self.packet(packet, now, found);
            at += PACKET;
        }
        all.drain(..at);
        self.rest = all;
    }

    fn packet(&mut self, packet: &[u8], now: Instant, found: &mut dyn FnMut(Instant, u64)) {
        if let Some(stamp) = Stamp::read(packet) {
            let begun = self.begun.take();
            if let Some(at) = begun.filter(|_| stamp.key && stamp.last) {
                found(at, stamp.seq);
            }
        } else if self.finder.finds(packet) {
            self.begun = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clip::{self, Clip, Mode};
    use crate::reel::Reel;

    /// Two seconds from one source, and of another what it writes from its twentieth frame on.
    fn streams() -> (Vec<u8>, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let clip = clip::prepare(dir.path(), 2, 1).unwrap();
        (stream(&clip, 0, 0), stream(&clip, 1000, 20))
    }

    fn stream(clip: &Clip, number: u64, from: usize) -> Vec<u8> {
        let mut reel = Reel::numbered(clip, number);
        let writes = clip.writes(Mode::Frames);
        writes.iter().skip(from).flat_map(|write| reel.assemble(write, 0, 1).to_vec()).collect()
    }

    fn found(parts: &[&[u8]], step: usize) -> Vec<(u64, u64)> {
        let (mut pictures, mut all, began) = (Pictures::default(), Vec::new(), Instant::now());
        for (second, part) in (0_u64..).zip(parts) {
            let now = began + Duration::from_secs(second);
            for piece in part.chunks(step) {
                pictures.feed(piece, now, &mut |at, number| all.push(((at - began).as_secs(), number)));
            }
        }
        all
    }

    #[test]
    fn a_picture_is_its_sources_whose_stamp_comes_after_it_however_the_stream_is_cut() {
        let (first, second) = streams();
        for step in [7, 188, 5000, first.len()] {
            assert_eq!(found(&[&first, &second], step), [(0, 0), (0, 30), (1, 1010)], "by {step}");
        }
    }

    #[test]
    fn a_picture_of_which_the_end_never_came_is_nobodys() {
        let (first, second) = streams();
        let cut: &[u8] = first.get(..20 * PACKET).unwrap();
        assert_eq!(found(&[cut, &second], 1000), [(1, 1010)]);
        // Nor do bytes in front make any difference, which are no packets.
        assert_eq!(found(&[&first[100..5000], &second], 1000), [(1, 1010)]);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let (mut pictures, mut seed) = (Pictures::default(), 7_u64);
        for _ in 0..2000 {
            let piece: Vec<u8> = (0..seed % 300)
                .map(|i| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    if seed >> 60 < 8 { SYNC } else { (seed >> 33) as u8 ^ i as u8 }
                })
                .collect();
            seed = seed.wrapping_add(12_345);
            pictures.feed(&piece, Instant::now(), &mut |_, _| ());
        }
    }
}

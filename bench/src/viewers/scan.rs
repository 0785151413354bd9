//! Follows one viewer's transport stream packet by packet: is it one, and which stamps are in it?

use super::stats::Stats;
use crate::ts::{PACKET, STAMP_PID, SYNC, Stamp, pid};

/// Where in the stream a viewer is.
#[derive(Default)]
pub struct Scan {
    carry: Vec<u8>,
    synced: bool,
    flowing: bool,
    next_seq: Option<u64>,
}

impl Scan {
    /// Takes the bytes that came at `now`.
    pub fn feed(&mut self, mut data: &[u8], now: u64, stats: &mut Stats) {
        if !self.carry.is_empty() {
            let missing = PACKET.saturating_sub(self.carry.len());
            let (head, rest) = data.split_at(missing.min(data.len()));
            self.carry.extend_from_slice(head);
            data = rest;
            if self.carry.len() < PACKET {
                return;
            }
            let whole = std::mem::take(&mut self.carry);
            if whole.first() == Some(&SYNC) {
                self.synced = true;
                self.packet(&whole, now, stats);
            } else {
                self.lose(stats);
            }
            self.carry = whole;
            self.carry.clear();
        }
        while let Some(p) = data.get(..PACKET) {
            if self.synced && p.first() == Some(&SYNC) {
                self.packet(p, now, stats);
                data = data.get(PACKET..).unwrap_or_default();
                continue;
            }
            self.lose(stats);
            let Some(skip) = find_sync(data) else { return };
            data = data.get(skip..).unwrap_or_default();
            self.synced = true;
            if data.len() < PACKET {
                break;
            }
        }
        self.carry.extend_from_slice(data);
    }

    fn lose(&mut self, stats: &mut Stats) {
        stats.sync_losses += u64::from(self.synced);
        self.synced = false;
    }

    fn packet(&mut self, p: &[u8], now: u64, stats: &mut Stats) {
        if pid(p) != Some(STAMP_PID) {
            return;
        }
        let Some(stamp) = Stamp::read(p) else { return };
        stats.flowing += usize::from(!std::mem::replace(&mut self.flowing, true));
        stats.stamp(&stamp, now);
        if !stamp.last {
            let expected = self.next_seq.unwrap_or(stamp.seq);
            stats.lost_writes += stamp.seq.saturating_sub(expected);
            self.next_seq = Some(stamp.seq + 1);
        }
    }
}

fn find_sync(data: &[u8]) -> Option<usize> {
    (0..data.len()).find(|&i| {
        let next = data.get(i + PACKET);
        data.get(i) == Some(&SYNC) && (next == Some(&SYNC) || next.is_none() && i < PACKET)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(writes: u64) -> Vec<u8> {
        let mut all = Vec::new();
        for seq in 0..writes {
            let mut s = Stamp { ns: 100, seq, key: seq % 5 == 0, last: false };
            all.extend_from_slice(&s.packet(0));
            for _ in 0..10 {
                let mut p = [0x47; PACKET]; // sync bytes everywhere: the worst that can be
                p[1] = 1;
                all.extend_from_slice(&p);
            }
            s.last = true;
            all.extend_from_slice(&s.packet(1));
        }
        all
    }

    #[test]
    fn stamps_are_found_however_the_stream_is_cut() {
        let all = stream(40);
        for step in [1, 7, 187, 188, 189, 1000, 5000, all.len()] {
            let (mut scan, mut stats) = (Scan::default(), Stats::default());
            for part in all.chunks(step) {
                scan.feed(part, 200, &mut stats);
            }
            assert_eq!(stats.first.len() + stats.first_key.len(), 40, "cut by {step}");
            assert_eq!(stats.whole.len() + stats.whole_key.len(), 40, "cut by {step}");
            assert_eq!((stats.sync_losses, stats.lost_writes, stats.flowing), (0, 0, 1));
        }
    }

    #[test]
    fn lost_bytes_are_noticed_and_the_rest_is_read() {
        let all = stream(40);
        let (mut scan, mut stats) = (Scan::default(), Stats::default());
        scan.feed(&all[..12 * 188 + 500], 200, &mut stats);
        scan.feed(&all[12 * 188 * 20 + 30..], 200, &mut stats);
        assert_eq!(stats.sync_losses, 1);
        assert!(stats.lost_writes >= 17, "{}", stats.lost_writes);
        assert!(stats.first.len() + stats.first_key.len() >= 20);
    }
}

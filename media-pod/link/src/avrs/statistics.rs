//! Numbers of a session.

use super::content::Content;

/// Numbers of one session, as the receiver of its content counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SessionStats {
    /// Content packets.
    pub packets: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// Content packets whose numbers were skipped.
    pub lost: u64,
    /// Content packets of a generation older than one that was there: never passed on.
    pub stale: u64,
    /// Jitter, microseconds (RFC 3550, section 6.4.1, over the packets' times).
    pub jitter: f64,
    last: Option<(super::Generation, u64, i128)>,
}

impl SessionStats {
    /// Counts a packet that came in `arrival` microseconds after any fixed moment. `false`: it is of an older
    /// generation than one before, and must not be passed on.
    pub fn count(&mut self, content: &Content, arrival: u64) -> bool {
        let transit = i128::from(arrival) - i128::from(content.timestamp);
        if let Some((generation, item, last)) = self.last {
            if content.generation < generation {
                self.stale += 1;
                return false;
            }
            if content.generation == generation {
                self.lost += content.item.saturating_sub(item.saturating_add(1));
                self.jitter += ((transit - last).unsigned_abs() as f64 - self.jitter) / 16.0;
            }
        }
        self.packets += 1;
        self.bytes += content.data.len() as u64;
        self.last = Some((content.generation, content.item, transit));
        true
    }

    /// The 40 bytes: packets, bytes, lost, stale, jitter in microseconds, each `u64`.
    pub fn encode(&self) -> Vec<u8> {
        [self.packets, self.bytes, self.lost, self.stale, self.jitter as u64]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect()
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let numbers: Vec<u64> = bytes
            .chunks_exact(8)
            .filter_map(|chunk| Some(u64::from_le_bytes(chunk.try_into().ok()?)))
            .collect();
        let &[packets, bytes, lost, stale, jitter] = numbers.as_slice() else { return None };
        Some(Self { packets, bytes, lost, stale, jitter: jitter as f64, last: None })
    }
}

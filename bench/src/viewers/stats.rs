//! What viewers have seen.

use crate::hist::Hist;
use crate::ts::Stamp;

/// Counts of all viewers of a thread, or of all threads once merged.
#[derive(Clone, Default)]
pub struct Stats {
    /// Answers with status 200.
    pub heads: usize,
    /// Viewers that have found a stamp.
    pub flowing: usize,
    /// Connections that ended, whoever ended them, or could not be made.
    pub closed: usize,
    /// Why the first of those ended.
    pub complaint: Option<String>,
    /// Bytes of stream, without heads and framing.
    pub bytes: u64,
    /// Times that a packet did not begin where it should.
    pub sync_losses: u64,
    /// Writes of the source that a viewer never saw, summed.
    pub lost_writes: u64,
    /// Nanoseconds from the write to the arrival of its first packet, of writes without key frame.
    pub first: Hist,
    /// The same of writes that hold a key frame.
    pub first_key: Hist,
    /// Nanoseconds from the write to the arrival of its last packet, of writes without key frame.
    pub whole: Hist,
    /// The same of writes that hold a key frame.
    pub whole_key: Hist,
    /// Bytes by viewer.
    pub per_viewer: Vec<u64>,
    /// Stamps of writes before this instant are not counted.
    pub since_ns: u64,
}

impl Stats {
    /// Counts a stamp that was found at `now`.
    pub fn stamp(&mut self, stamp: &Stamp, now: u64) {
        if stamp.ns < self.since_ns {
            return;
        }
        let hist = match (stamp.last, stamp.key) {
            (false, false) => &mut self.first,
            (false, true) => &mut self.first_key,
            (true, false) => &mut self.whole,
            (true, true) => &mut self.whole_key,
        };
        hist.record(now.saturating_sub(stamp.ns));
    }

    /// Counts bytes of a viewer.
    pub fn body(&mut self, viewer: usize, n: usize) {
        self.bytes += n as u64;
        if let Some(b) = self.per_viewer.get_mut(viewer) {
            *b += n as u64;
        }
    }

    /// Notes the end of a connection.
    pub fn end(&mut self, why: String) {
        self.closed += 1;
        self.complaint.get_or_insert(why);
    }

    /// Begins a new window: what has flowed is forgotten, who is connected is not.
    pub fn restart(&mut self, now: u64) {
        self.since_ns = now;
        (self.bytes, self.sync_losses, self.lost_writes) = (0, 0, 0);
        for h in [&mut self.first, &mut self.first_key, &mut self.whole, &mut self.whole_key] {
            h.clear();
        }
        self.per_viewer.fill(0);
    }

    /// Adds another thread's.
    pub fn merge(&mut self, other: &Self) {
        self.heads += other.heads;
        self.flowing += other.flowing;
        self.closed += other.closed;
        if self.complaint.is_none() {
            self.complaint.clone_from(&other.complaint);
        }
        self.bytes += other.bytes;
        self.sync_losses += other.sync_losses;
        self.lost_writes += other.lost_writes;
        self.first.merge(&other.first);
        self.first_key.merge(&other.first_key);
        self.whole.merge(&other.whole);
        self.whole_key.merge(&other.whole_key);
        self.per_viewer.extend_from_slice(&other.per_viewer);
    }
}

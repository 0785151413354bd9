//! Reading a file at the speed of its media.

use std::time::{Duration, Instant};

use crate::clock::MediaTime;

/// Later than this, the schedule starts anew at once: what was missed is not made up for in a burst.
const LATEST: Duration = Duration::from_secs(1);
/// What a piece should last: short enough not to be seen, long enough not to be a wake-up for every packet.
const PIECE: Duration = Duration::from_millis(20);
/// Media time over which the byte rate is measured.
const WINDOW: Duration = Duration::from_millis(500);
/// Before the rate is known: 7 TS packets, little enough for sound.
const FIRST_PIECE: usize = 7 * 188;
const SMALLEST_PIECE: usize = 188;
const LARGEST_PIECE: usize = 64 * 1024;

/// Says how long a piece of a file has to wait so that the file goes by as fast as it plays. Pure: the caller
/// brings the clock.
///
/// For each piece: read [`next_piece`](Self::next_piece) bytes, push them through the sniffer, wait for
/// [`wait`](Self::wait), publish them.
///
/// The granularity is the piece: all of it goes out at the time of the newest timestamp in it. 16 KiB are 33 ms at
/// 4 Mbit/s but a second at 128 kbit/s, so `next_piece` follows the measured rate: about 20 ms, at least 188 bytes,
/// at most 64 KiB, and 1316 bytes before the rate is known. No piece size helps where timestamps are rarer than that:
/// PCRs come at most 100 ms apart, but an fMP4 fragment, a Matroska cluster or an Ogg page has one time, and goes
/// out at once as it would from a live muxer.
#[derive(Debug, Default)]
pub struct Pacer {
    plan: Option<Plan>,
    rate: Rate,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    /// This media time ...
    media: MediaTime,
    /// ... is due then.
    due: Instant,
    newest: MediaTime,
    /// Distance of the last two different timestamps, for the step over a jump.
    step: Duration,
}

impl Pacer {
    /// Starts with the first piece.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait from `now` before the piece of `bytes` just read goes out, `time` being what the sniffer's
    /// [`media_time`](crate::Sniffer::media_time) says after it.
    ///
    /// Zero while no timestamp is known (`None`): a container without any is not paced. After a jump (a new
    /// epoch: the file has begun again) the new time is due one ordinary step after the old. A caller who comes more than a
    /// second late starts a new schedule.
    pub fn wait(&mut self, bytes: usize, time: Option<MediaTime>, now: Instant) -> Duration {
        let Some(time) = time else { return Duration::ZERO };
        self.rate.note(bytes, time);
        let plan =
            self.plan.get_or_insert(Plan { media: time, due: now, newest: time, step: Duration::ZERO });
        if time.epoch == plan.newest.epoch {
            let step = time.at.saturating_sub(plan.newest.at);
            if !step.is_zero() {
                plan.step = step;
            }
        } else {
            plan.due += plan.newest.at.saturating_sub(plan.media.at) + plan.step.min(LATEST);
            plan.media = time;
        }
        plan.newest = time;
        let due = plan.due + time.at.saturating_sub(plan.media.at);
        if now.saturating_duration_since(due) > LATEST {
            plan.media = time;
            plan.due = now;
            return Duration::ZERO;
        }
        due.saturating_duration_since(now)
    }

    /// How many bytes to read next: about 20 ms of media.
    pub fn next_piece(&self) -> usize {
        self.rate.piece.unwrap_or(FIRST_PIECE)
    }
}

#[derive(Debug, Default)]
struct Rate {
    since: Option<MediaTime>,
    bytes: u64,
    piece: Option<usize>,
}

impl Rate {
    fn note(&mut self, bytes: usize, time: MediaTime) {
        let since = *self.since.get_or_insert(time);
        self.bytes = self.bytes.saturating_add(bytes as u64);
        let gone = time.at.saturating_sub(since.at);
        if since.epoch == time.epoch && gone >= WINDOW {
            let piece = u128::from(self.bytes) * PIECE.as_nanos() / gone.as_nanos().max(1);
            let piece = usize::try_from(piece).unwrap_or(LARGEST_PIECE);
            self.piece = Some(piece.clamp(SMALLEST_PIECE, LARGEST_PIECE));
        } else if since.epoch == time.epoch {
            return;
        }
        self.since = Some(time);
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u32, epoch: u32) -> MediaTime {
        MediaTime { at: MS * ms, epoch }
    }

    #[test]
    fn a_piece_is_due_when_its_media_time_has_passed() {
        let (mut pacer, t0) = (Pacer::new(), Instant::now());
        assert_eq!(pacer.wait(100, None, t0), Duration::ZERO);
        assert_eq!(pacer.wait(100, Some(at(0, 0)), t0), Duration::ZERO);
        assert_eq!(pacer.wait(100, Some(at(40, 0)), t0), 40 * MS);
        assert_eq!(pacer.wait(100, Some(at(80, 0)), t0 + 45 * MS), 35 * MS);
        assert_eq!(pacer.wait(100, Some(at(80, 0)), t0 + 90 * MS), Duration::ZERO);
        assert_eq!(
            pacer.wait(100, Some(at(120, 0)), t0 + 90 * MS),
            30 * MS,
            "a little lateness is made up for"
        );
    }

    #[test]
    fn a_loop_goes_on_with_one_ordinary_step_without_stall_or_burst() {
        let (mut pacer, t0) = (Pacer::new(), Instant::now());
        let mut now = t0;
        for epoch in 0..5 {
            for n in 0..25 {
                now += pacer.wait(1000, Some(at((epoch * 24 + n) * 40, epoch)), now);
            }
        }
        assert_eq!(now - t0, (5 * 25 - 1) * 40 * MS);
    }

    #[test]
    fn who_comes_much_too_late_starts_anew_instead_of_bursting() {
        let (mut pacer, t0) = (Pacer::new(), Instant::now());
        pacer.wait(1, Some(at(0, 0)), t0);
        assert_eq!(pacer.wait(1, Some(at(40, 0)), t0 + 5000 * MS), Duration::ZERO);
        assert_eq!(pacer.wait(1, Some(at(80, 0)), t0 + 5000 * MS), 40 * MS);
    }

    #[test]
    fn pieces_last_about_twenty_milliseconds() {
        let (mut pacer, t0) = (Pacer::new(), Instant::now());
        assert_eq!(pacer.next_piece(), 7 * 188);
        for n in 0..100 {
            pacer.wait(16_000, Some(at(n * 32, 0)), t0 + n * 32 * MS);
        }
        assert!((9_000..=11_000).contains(&pacer.next_piece()), "{}", pacer.next_piece());
        for n in 100..400 {
            pacer.wait(188, Some(at(n * 32, 0)), t0 + n * 32 * MS);
        }
        assert_eq!(pacer.next_piece(), 188);
    }
}

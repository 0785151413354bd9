//! The newest timestamp of a stream, made monotone.

use std::time::Duration;

/// A forward step longer than this is no step but a jump to another place.
const LONGEST_STEP: Duration = Duration::from_secs(10);

/// How far the media has come, counted from the first timestamp seen.
///
/// `at` never goes backwards: a wrap of the container's clock (the PCR wraps every 26.5 hours) is followed. When
/// the container's clock goes backwards, jumps forward by more than 10 s, or says so itself (the discontinuity
/// indicator of MPEG-TS), `epoch` grows by one and `at` stays for that one timestamp: times of different epochs
/// say nothing about each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaTime {
    /// Time since the first timestamp, jumps left out.
    pub at: Duration,
    /// Number of jumps so far.
    pub epoch: u32,
}

/// Makes [`MediaTime`] of a container's own clock.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: Option<u64>,
    time: Option<MediaTime>,
    cut: bool,
}

impl Clock {
    /// The container says `raw` ticks of `1/hz` s, counted modulo `wrap` if that is given.
    pub(crate) fn feed(&mut self, raw: u64, hz: u64, wrap: Option<u64>) {
        let Some(last) = self.last.replace(raw) else {
            self.time.get_or_insert_default();
            self.cut = false;
            return;
        };
        let ticks = match wrap {
            Some(wrap) => Some(raw.wrapping_add(wrap).wrapping_sub(last) % wrap.max(1)),
            None => raw.checked_sub(last),
        };
        let step = ticks.map(|ticks| span(ticks, hz)).filter(|step| *step <= LONGEST_STEP);
        let cut = std::mem::take(&mut self.cut);
        let time = self.time.get_or_insert_default();
        match step {
            Some(step) if !cut => time.at = time.at.saturating_add(step),
            _ => time.epoch = time.epoch.wrapping_add(1),
        }
    }

    /// The media went on by `ticks` of `1/hz` s: containers without timestamps.
    pub(crate) fn advance(&mut self, ticks: u64, hz: u64) {
        let time = self.time.get_or_insert_default();
        time.at = time.at.saturating_add(span(ticks, hz));
    }

    /// The next timestamp has nothing to do with the last.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    pub(crate) fn time(&self) -> Option<MediaTime> {
        self.time
    }
}

fn span(ticks: u64, hz: u64) -> Duration {
    let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(hz.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRAP: u64 = (1 << 33) * 300;

    #[test]
    fn a_wrap_of_the_clock_is_followed() {
        let mut clock = Clock::default();
        clock.feed(WRAP - 27_000_000, 27_000_000, Some(WRAP));
        clock.feed(27_000_000, 27_000_000, Some(WRAP));
        assert_eq!(clock.time(), Some(MediaTime { at: Duration::from_secs(2), epoch: 0 }));
    }

    #[test]
    fn a_jump_either_way_begins_an_epoch_and_never_turns_time_back() {
        let mut clock = Clock::default();
        for (raw, at, epoch) in [(5_000, 0, 0), (6_000, 1, 0), (5_999, 1, 1), (6_999, 2, 1), (17_000, 2, 2)] {
            clock.feed(raw, 1000, None);
            assert_eq!(clock.time(), Some(MediaTime { at: Duration::from_secs(at), epoch }), "{raw}");
        }
        clock.feed(0, 0, Some(0));
    }

    #[test]
    fn an_announced_cut_is_a_jump_even_if_the_numbers_go_on() {
        let mut clock = Clock::default();
        clock.feed(0, 1000, None);
        clock.cut();
        clock.feed(10, 1000, None);
        assert_eq!(clock.time().map(|t| t.epoch), Some(1));
    }
}

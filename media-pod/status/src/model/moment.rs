//! A point in time that knows how to write itself, without a clock or a time zone database.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::ser::{Serialize, SerializeMap, Serializer};

const DAY_SECONDS: i64 = 86_400;
/// 0000-01-01 and 9999-12-31T23:59:59.999, the years that RFC 3339 can write; a day less for the offset.
const RANGE_MS: (i64, i64) = (-62_167_132_800_000, 253_402_214_399_999);
const MAX_OFFSET_MINUTES: i32 = 23 * 60 + 59;

/// A point in time with the offset it is shown in. Written and serialized as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    unix_ms: i64,
    offset_minutes: i32,
}

impl Moment {
    /// `unix_ms` milliseconds after 1970-01-01T00:00:00Z, shown in UTC.
    ///
    /// What lies outside the years 0 to 9999 is moved to the nearest of them.
    pub fn from_unix_ms(unix_ms: i64) -> Self {
        Self { unix_ms: unix_ms.clamp(RANGE_MS.0, RANGE_MS.1), offset_minutes: 0 }
    }

    /// The same point in time, shown `minutes` east of UTC (less than a day either way).
    #[must_use]
    pub fn shown_at(self, minutes: i32) -> Self {
        Self { offset_minutes: minutes.clamp(-MAX_OFFSET_MINUTES, MAX_OFFSET_MINUTES), ..self }
    }

    /// Milliseconds after 1970-01-01T00:00:00Z.
    pub fn unix_ms(self) -> i64 {
        self.unix_ms
    }

    /// Whole seconds from `earlier` to this; 0 if it is later.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.unix_ms.saturating_sub(earlier.unix_ms) / 1000).unwrap_or(0)
    }

    /// As `2026-02-14 12:34:56 UTC` or `2026-02-14 13:34:56 +01:00`.
    pub(crate) fn for_people(self) -> impl fmt::Display {
        ForPeople(self)
    }

    fn civil(self) -> Civil {
        let local_ms = self.unix_ms + i64::from(self.offset_minutes) * 60_000;
        let seconds = local_ms.div_euclid(1000);
        let (year, month, day) = date_of(seconds.div_euclid(DAY_SECONDS));
        let second = seconds.rem_euclid(DAY_SECONDS);
        Civil {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            millisecond: local_ms.rem_euclid(1000),
        }
    }

    fn write_offset(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// Two entries of a map, for programs that would rather not parse: the text, and the milliseconds.
    pub(crate) fn serialize_twofold<S: Serializer>(moment: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("serverTime", moment)?;
        map.serialize_entry("serverTimeUnixMs", &moment.unix_ms)?;
        map.end()
    }
}

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    millisecond: i64,
}

/// The Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that the day that a
/// leap year adds is their last.
fn date_of(unix_day: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097; // 400 years
    let days = unix_day + 719_468; // since 0000-03-01
    let day = days.rem_euclid(ERA_DAYS);
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = days.div_euclid(ERA_DAYS) * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_month)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, millisecond } = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}")?;
        if self.offset_minutes == 0 { f.write_str("Z") } else { self.write_offset(f) }
    }
}

struct ForPeople(Moment);

impl fmt::Display for ForPeople {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, .. } = self.0.civil();
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} ")?;
        if self.0.offset_minutes == 0 { f.write_str("UTC") } else { self.0.write_offset(f) }
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let ms = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Self::from_unix_ms(ms)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339_with_milliseconds() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_771_072_496_789, "2026-02-14T12:34:56.789Z"),
        ] {
            assert_eq!(Moment::from_unix_ms(ms).to_string(), text);
        }
    }

    #[test]
    fn an_offset_changes_what_is_shown_and_not_when_it_was() {
        let noon = Moment::from_unix_ms(1_771_072_496_789);
        assert_eq!(noon.shown_at(60).to_string(), "2026-02-14T13:34:56.789+01:00");
        assert_eq!(noon.shown_at(-750).to_string(), "2026-02-14T00:04:56.789-12:30");
        assert_eq!(noon.shown_at(60).for_people().to_string(), "2026-02-14 13:34:56 +01:00");
        assert_eq!(noon.shown_at(60).unix_ms(), noon.unix_ms());
    }

    #[test]
    fn no_moment_is_too_early_or_too_late_to_be_written() {
        for ms in [i64::MIN, i64::MAX] {
            for offset in [i32::MIN, 0, i32::MAX] {
                assert!(Moment::from_unix_ms(ms).shown_at(offset).to_string().len() <= 29);
            }
        }
        assert_eq!(Moment::from_unix_ms(0).seconds_since(Moment::from_unix_ms(5000)), 0);
    }

    #[test]
    fn moments_of_the_system_clock_keep_their_milliseconds() {
        let time = UNIX_EPOCH + std::time::Duration::from_millis(1_771_072_496_789);
        assert_eq!(Moment::from(time).unix_ms(), 1_771_072_496_789);
        assert_eq!(Moment::from(UNIX_EPOCH - std::time::Duration::from_millis(1)).unix_ms(), -1);
    }
}

//! Amounts as people read them: SI units, three digits, a space that does not break.

use std::fmt;

const BITS: [&str; 5] = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
const BYTES: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const NBSP: char = '\u{a0}';

/// Bits per second.
pub(super) fn rate(bits_per_second: u64) -> impl fmt::Display {
    Scaled { amount: bits_per_second, units: &BITS }
}

/// Bytes.
pub(super) fn bytes(amount: u64) -> impl fmt::Display {
    Scaled { amount, units: &BYTES }
}

struct Scaled {
    amount: u64,
    units: &'static [&'static str],
}

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut units = self.units.iter().peekable();
        let mut unit = units.next().copied().unwrap_or_default();
        if self.amount < 1000 {
            return write!(f, "{}{NBSP}{unit}", self.amount);
        }
        let mut value = self.amount as f64;
        while value >= 999.5
            && let Some(next) = units.next()
        {
            value /= 1000.0;
            unit = next;
        }
        let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
        write!(f, "{value:.decimals$}{NBSP}{unit}")
    }
}

/// A number with its thousands set apart.
pub(super) fn count(number: u64) -> impl fmt::Display {
    Count(number)
}

struct Count(u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 {
            return write!(f, "{}", self.0);
        }
        write!(f, "{},{:03}", Self(self.0 / 1000), self.0 % 1000)
    }
}

/// Seconds, in the two greatest units that say something.
pub(super) fn span(seconds: u64) -> impl fmt::Display {
    Span(seconds)
}

struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minute, hour, day) = (60, 3600, 86_400);
        let s = self.0;
        let (great, great_unit, small, small_unit) = match s {
            0..60 => return write!(f, "{s}{NBSP}s"),
            60..3600 => (s / minute, "min", s % minute, "s"),
            3600..86_400 => (s / hour, "h", s % hour / minute, "min"),
            _ => (s / day, "d", s % day / hour, "h"),
        };
        write!(f, "{}{NBSP}{great_unit}", Count(great))?;
        if small > 0 && great < 100 { write!(f, " {small}{NBSP}{small_unit}") } else { Ok(()) }
    }
}

/// Milliseconds, as seconds with a digit or two.
pub(super) fn milliseconds(ms: u64) -> impl fmt::Display {
    Milliseconds(ms)
}

struct Milliseconds(u64);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1000 => write!(f, "{}{NBSP}ms", self.0),
            1000..100_000 => write!(f, "{:.1}{NBSP}s", self.0 as f64 / 1000.0),
            _ => Span(self.0 / 1000).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(shown: impl fmt::Display) -> String {
        shown.to_string().replace(NBSP, " ")
    }

    #[test]
    fn rates_and_sizes_have_three_digits() {
        for (amount, shown) in [
            (0, "0 bit/s"),
            (999, "999 bit/s"),
            (1000, "1.00 kbit/s"),
            (9_994, "9.99 kbit/s"),
            (9_996, "10.0 kbit/s"),
            (999_499, "999 kbit/s"),
            (999_500, "1.00 Mbit/s"),
            (4_125_000, "4.12 Mbit/s"),
            (41_250_000, "41.2 Mbit/s"),
            (2_062_500_000, "2.06 Gbit/s"),
            (u64::MAX, "18446744 Tbit/s"),
        ] {
            assert_eq!(plain(rate(amount)), shown);
        }
        assert_eq!(plain(bytes(u64::MAX)), "18.4 EB");
        assert_eq!(plain(bytes(34_560_000)), "34.6 MB");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(plain(count(7)), "7");
        assert_eq!(plain(count(1_048_076)), "1,048,076");
        assert_eq!(plain(count(u64::MAX)), "18,446,744,073,709,551,615");
    }

    #[test]
    fn spans_have_two_units() {
        for (seconds, shown) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (754, "12 min 34 s"),
            (11_520, "3 h 12 min"),
            (86_400 * 3 + 3600 * 4, "3 d 4 h"),
            (86_400 * 400 + 3600, "400 d"),
        ] {
            assert_eq!(plain(span(seconds)), shown);
        }
        assert!(plain(span(u64::MAX)).ends_with(" d"));
    }

    #[test]
    fn groups_of_pictures_are_measured_in_seconds() {
        assert_eq!(plain(milliseconds(480)), "480 ms");
        assert_eq!(plain(milliseconds(2000)), "2.0 s");
        assert_eq!(plain(milliseconds(150_000)), "2 min 30 s");
    }
}

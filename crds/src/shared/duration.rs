use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Malformed;

const EXPECTED: &str =
    "a duration: one to four parts of digits and h, m, s or ms, such as 10s, 1h30m or 200ms";

/// A length of time as people write it: `10s`, `1h30m`, `200ms`. `0s` is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(std::time::Duration);

impl Duration {
    /// What the schema says a duration looks like.
    pub const PATTERN: &'static str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

    /// A duration of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// A duration of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(std::time::Duration::from_millis(millis))
    }

    /// The same length of time for the standard library.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

/// Parts finer than a millisecond are dropped, and more than the 99999 hours that can be written become that.
impl From<std::time::Duration> for Duration {
    fn from(duration: std::time::Duration) -> Self {
        let most = 99_999 * 3_600_000_u128 + 3_599_999;
        Self::from_millis(duration.as_millis().min(most) as u64)
    }
}

impl FromStr for Duration {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut rest = text;
        let mut millis = 0_u64;
        let mut parts = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let (unit, tail) = split_unit(tail).ok_or_else(|| Malformed::new(text, EXPECTED))?;
            parts += 1;
            if digits == 0 || digits > 5 || parts > 4 {
                return Err(Malformed::new(text, EXPECTED));
            }
            let number: u64 = number.parse().map_err(|_| Malformed::new(text, EXPECTED))?;
            millis += number * unit;
            rest = tail;
        }
        if parts == 0 { Err(Malformed::new(text, EXPECTED)) } else { Ok(Self::from_millis(millis)) }
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    units.iter().find_map(|(name, millis)| text.strip_prefix(name).map(|tail| (*millis, tail)))
}

impl fmt::Display for Duration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = self.0.as_millis();
        if millis == 0 {
            return out.write_str("0s");
        }
        for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            // Hours are capped where they are made; what is above five digits cannot be written.
            let count = millis / length;
            if count > 0 {
                write!(out, "{count}{unit}")?;
                millis -= count * length;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Duration {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let duration: Self = text.parse()?;
        // Four parts of hours may add up to more than one can write back.
        Ok(Self::from(duration.get()))
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 32, "pattern": Self::PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back_in_their_shortest_form() {
        for (text, millis, back) in [
            ("10s", 10_000, "10s"),
            ("200ms", 200, "200ms"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90s", 90_000, "1m30s"),
            ("0s", 0, "0s"),
            ("0ms", 0, "0s"),
            ("168h", 604_800_000, "168h"),
            ("1h1m1s1ms", 3_661_001, "1h1m1s1ms"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.get().as_millis(), millis, "{text}");
            assert_eq!(duration.to_string(), back);
        }
    }

    #[test]
    fn the_pattern_and_the_parser_agree() {
        let pattern = regex_lite::Regex::new(Duration::PATTERN).unwrap();
        for text in [
            "",
            "7d",
            "10",
            "s",
            "1.5s",
            "123456s",
            "1s1s1s1s1s",
            " 1s",
            "1s ",
            "1m1ms",
            "1sm",
            "-1s",
            "١s",
            "00001h",
        ] {
            assert_eq!(text.parse::<Duration>().is_ok(), pattern.is_match(text), "{text:?}");
        }
    }

    #[test]
    fn the_longest_durations_can_be_written_back() {
        let longest = Duration::try_from("99999h99999h99999h99999h".to_owned()).unwrap();
        assert_eq!(Duration::try_from(longest.to_string()).unwrap(), longest);
    }
}

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Malformed;

const EXPECTED: &str =
    "a size: a whole number, alone or with k, M, G, T, Ki, Mi, Gi or Ti, such as 16Mi or 2M";

const UNITS: [(&str, u64); 9] = [
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
    ("", 1),
];

/// A quantity as people write it: `16Mi` bytes, `2M` bits a second, or a plain number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl Size {
    /// What the schema says a size looks like when it is a string.
    pub const PATTERN: &'static str = "^([0-9]{1,12}|[0-9]{1,6}(k|M|G|T|Ki|Mi|Gi|Ti))$";
    /// The greatest plain number.
    pub const MAX_PLAIN: u64 = 999_999_999_999;

    /// The plain number: bytes, or bits a second.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, suffix) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| *name == suffix).map(|(_, unit)| *unit);
        match (number.parse::<u64>(), unit) {
            (Ok(number), Some(unit)) if digits <= most_digits(suffix) => {
                Ok(Self(number.saturating_mul(unit)))
            }
            _ => Err(Malformed::new(text, EXPECTED)),
        }
    }
}

/// With these, the greatest size is below 2^63.
const fn most_digits(suffix: &str) -> usize {
    if suffix.is_empty() { 12 } else { 6 }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |unit: u64| (self.0 / unit).to_string().len();
        let fits =
            |(name, unit): &&(&str, u64)| self.0.is_multiple_of(*unit) && digits(*unit) <= most_digits(name);
        let mut units: Vec<_> = UNITS.iter().filter(fits).collect();
        // The shortest way to write it; of two as short, the decimal one.
        units.sort_by_key(|(name, unit)| (digits(*unit) + name.len(), name.len()));
        match units.first() {
            Some((name, unit)) if self.0 > 0 => write!(out, "{}{name}", self.0 / unit),
            _ => write!(out, "{}", self.0),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 <= Self::MAX_PLAIN && self.to_string().bytes().all(|byte| byte.is_ascii_digit()) {
            serializer.serialize_u64(self.0)
        } else {
            serializer.collect_str(self)
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(EXPECTED)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Size, E> {
                Ok(Size(number))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Size, E> {
                u64::try_from(number).map(Size).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "pattern": Self::PATTERN,
            "minimum": 0,
            "maximum": Self::MAX_PLAIN,
            "maxLength": 12,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_back_in_their_shortest_form() {
        for (text, number, back) in [
            ("16Mi", 16_777_216, "16Mi"),
            ("2M", 2_000_000, "2M"),
            ("600k", 600_000, "600k"),
            ("1024", 1024, "1Ki"),
            ("1000", 1000, "1k"),
            ("1500", 1500, "1500"),
            ("0", 0, "0"),
            ("2048Ki", 2_097_152, "2Mi"),
            ("999999Ti", 999_999 * (1 << 40), "999999Ti"),
            ("123456Mi", 129_452_998_656, "123456Mi"),
            ("1234567000", 1_234_567_000, "1234567000"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.get(), size.to_string().as_str()), (number, back), "{text}");
            assert_eq!(back.parse::<Size>().unwrap(), size);
        }
    }

    #[test]
    fn the_pattern_and_the_parser_agree() {
        let pattern = regex_lite::Regex::new(Size::PATTERN).unwrap();
        for text in [
            "",
            "M",
            "1.5M",
            "-1",
            "1 M",
            "1K",
            "1m",
            "1E",
            "1234567890",
            "1234567M",
            "123456M",
            "1234567890123",
            "12Gi",
            "1e3",
        ] {
            assert_eq!(text.parse::<Size>().is_ok(), pattern.is_match(text), "{text:?}");
        }
    }
}

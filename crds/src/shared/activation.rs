use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const EXPECTED: &str = "OnDemand, Continuous or a number of seconds to stay alive unused (1 to 604800)";
const MOST_SECONDS: u32 = 604_800;

/// When a feed runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// While somebody uses it; the default.
    #[default]
    OnDemand,
    /// Always.
    Continuous,
    /// While somebody uses it, and this many seconds after the last one has gone.
    Seconds(u32),
}

impl Activation {
    /// What the schema says an activation looks like when it is a string.
    pub const PATTERN: &'static str = "^(OnDemand|Continuous|[1-9][0-9]{0,5})$";

    /// How long the feed stays when nobody uses it any more; `None` for ever.
    pub fn linger(self) -> Option<std::time::Duration> {
        match self {
            Self::OnDemand => Some(std::time::Duration::ZERO),
            Self::Continuous => None,
            Self::Seconds(seconds) => Some(std::time::Duration::from_secs(seconds.into())),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnDemand => out.write_str("OnDemand"),
            Self::Continuous => out.write_str("Continuous"),
            Self::Seconds(seconds) => write!(out, "{seconds}"),
        }
    }
}

impl Serialize for Activation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Seconds(seconds) => serializer.serialize_u32(*seconds),
            word => serializer.collect_str(word),
        }
    }
}

impl<'de> Deserialize<'de> for Activation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Activation;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(EXPECTED)
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Activation, E> {
                match u32::try_from(seconds) {
                    Ok(seconds @ 1..=MOST_SECONDS) => Ok(Activation::Seconds(seconds)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(seconds), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Activation, E> {
                match u64::try_from(seconds) {
                    Ok(seconds) => self.visit_u64(seconds),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(seconds), &self)),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Activation, E> {
                match text {
                    "OnDemand" => Ok(Activation::OnDemand),
                    "Continuous" => Ok(Activation::Continuous),
                    digits
                        if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0') =>
                    {
                        match digits.parse() {
                            Ok(seconds) => self.visit_u64(seconds),
                            Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                        }
                    }
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Activation {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Activation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "pattern": Self::PATTERN,
            "minimum": 1,
            "maximum": MOST_SECONDS,
            "maxLength": 10,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_words_or_seconds() {
        for (json, activation) in [
            ("\"OnDemand\"", Activation::OnDemand),
            ("\"Continuous\"", Activation::Continuous),
            ("30", Activation::Seconds(30)),
            ("\"30\"", Activation::Seconds(30)),
        ] {
            assert_eq!(serde_json::from_str::<Activation>(json).unwrap(), activation);
        }
        for json in ["\"ondemand\"", "0", "-1", "604801", "\"\"", "\"030\"", "1.5", "true"] {
            assert!(serde_json::from_str::<Activation>(json).is_err(), "{json}");
        }
    }
}

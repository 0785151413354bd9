use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Duration, Malformed};

/// When what a stream's process wrote is sent to its viewers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Flush {
    /// At once; the default.
    #[default]
    Now,
    /// Gathered for this long, for fewer and larger writes.
    After(Duration),
}

impl Flush {
    /// What the schema says a flush policy looks like.
    pub const PATTERN: &'static str = "^(Now|([0-9]{1,5}(h|m|s|ms)){1,4})$";
}

impl TryFrom<String> for Flush {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        match text.as_str() {
            "Now" => Ok(Self::Now),
            other => match other.parse::<Duration>() {
                Ok(duration) if duration.get().is_zero() => Ok(Self::Now),
                Ok(duration) => Ok(Self::After(duration)),
                Err(_) => Err(Malformed::new(&text, "Now or a duration, such as 20ms")),
            },
        }
    }
}

impl From<Flush> for String {
    fn from(flush: Flush) -> Self {
        match flush {
            Flush::Now => "Now".to_owned(),
            Flush::After(duration) => duration.to_string(),
        }
    }
}

impl JsonSchema for Flush {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Flush".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 32, "pattern": Self::PATTERN})
    }
}

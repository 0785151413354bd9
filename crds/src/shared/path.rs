use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Malformed;
use crate::rules;

/// What a path may not end in, because Millrace serves these words below every stream.
pub const RESERVED_ENDS: [&str; 5] = ["pic", "index.m3u8", "manifest.mpd", "whep", "whip"];

const EXPECTED: &str =
    "a path: parts of letters, digits and . _ ~ @ : + = , - that each follow a /, such as /cams/front.ts";

/// The path of a stream or of a place to publish: `/cams/front/hd.ts`. In a set it may hold `{each}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamPath(String);

impl StreamPath {
    /// What the schema says a path looks like.
    pub const PATTERN: &'static str = r"^(/([A-Za-z0-9._~@:+=,-]|\{each\})+)+$";
    /// The most bytes of a path.
    pub const MAX: usize = 256;

    /// The path, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StreamPath {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let plain = text.replace("{each}", "x");
        let mut parts = plain.split('/');
        let fits = (2..=Self::MAX).contains(&text.len())
            && parts.next() == Some("")
            && parts.all(|part| !part.is_empty() && part.bytes().all(is_path_byte));
        if fits { Ok(Self(text)) } else { Err(Malformed::new(&text, EXPECTED)) }
    }
}

const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'_' | b'~' | b'@' | b':' | b'+' | b'=' | b',' | b'-')
}

impl From<StreamPath> for String {
    fn from(path: StreamPath) -> Self {
        path.0
    }
}

impl fmt::Display for StreamPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl JsonSchema for StreamPath {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "StreamPath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": Self::MAX,
            "pattern": Self::PATTERN,
            "x-kubernetes-validations": [rules::PATH_END.to_json(), rules::PATH_DOTS.to_json()],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_and_the_parser_agree() {
        let pattern = regex_lite::Regex::new(StreamPath::PATTERN).unwrap();
        for text in [
            "/a",
            "/a/b.ts",
            "/cams/{each}/hd.ts",
            "/{each}",
            "",
            "/",
            "a",
            "//a",
            "/a/",
            "/a b",
            "/a?b",
            "/a#b",
            "/{each",
            "/{other}",
            "/ü",
            "/%41",
            "/a{each}b",
        ] {
            assert_eq!(StreamPath::try_from(text.to_owned()).is_ok(), pattern.is_match(text), "{text:?}");
        }
    }
}

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{Duration, SecretKeyRef, Size};

/// A smaller version of the picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rendition {
    /// Its name, which is in its address: `720p`.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The height of its picture in pixels (16 to 8640); the width follows.
    #[schemars(range(min = 16, max = 8640))]
    pub height: u16,
    /// The bit rate of its video in bits a second: `2M`.
    pub bitrate: Size,
}

/// How a Stream is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The name of a storage in the Cluster's `spec.storage`.
    #[schemars(length(min = 1, max = 63))]
    pub storage: String,
    /// The container of the files: `Fmp4` or `MpegTs`. Default: `Fmp4`.
    #[serde(default)]
    pub format: RecordFormat,
    /// The length of a file; it ends at the next random access point. A duration. Default: `60s`.
    #[serde(default = "one_minute")]
    pub segment: Duration,
    /// How long files are kept; `0s`: for ever. A duration. Default: `168h`.
    #[serde(default = "one_week")]
    pub keep: Duration,
}

const fn one_minute() -> Duration {
    Duration::from_secs(60)
}

const fn one_week() -> Duration {
    Duration::from_secs(168 * 3600)
}

/// The container of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RecordFormat {
    /// Fragmented MP4.
    #[default]
    Fmp4,
    /// MPEG transport stream.
    MpegTs,
}

/// A server that a Stream is sent on to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// The URL: `rtmp://`, `rtmps://`, `rtsp://`, `srt://`, `http://`, `https://` or `millrace://`.
    #[schemars(length(max = 1024), regex(pattern = "^(rtmps?|rtsp|srt|https?|millrace)://[^ ]+$"))]
    pub url: String,
    /// The stream key, which is put behind the URL's last `/`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_from: Option<KeyFrom>,
}

/// Where a stream key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyFrom {
    /// A key of a Secret in the same namespace.
    pub secret_key_ref: SecretKeyRef,
}

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    rules,
    shared::{Duration, Size, yes},
};

/// How much is kept since the last random access point. Exactly one field; 0 keeps nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::GOP_CACHE)]
pub struct GopCacheSpec {
    /// The most bytes (`16Mi`); a group of pictures that is longer is not kept at all. 0: off.
    /// Default: `16Mi`, when `frames` is absent, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Size>,
    /// The most frames; a group of pictures that is longer is not kept at all. 0: off. Default: by `bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub frames: Option<u32>,
}

impl Default for GopCacheSpec {
    fn default() -> Self {
        Self { bytes: Some(Size(16 << 20)), frames: None }
    }
}

/// Pictures of a Stream at PATH/pic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Whether there are any. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The format for a client that says neither `?format=` nor `Accept`: `Jpeg` or `Png`. Default: `Jpeg`.
    #[serde(default)]
    pub format: SnapshotFormat,
    /// The quality of a JPEG whose client does not say `?quality=`, in percent (1 to 100). Default: 85.
    #[serde(default = "good_quality")]
    #[schemars(range(min = 1, max = 100))]
    pub quality: u8,
}

const fn good_quality() -> u8 {
    85
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { enabled: true, format: SnapshotFormat::Jpeg, quality: good_quality() }
    }
}

/// The format of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SnapshotFormat {
    /// JPEG.
    #[default]
    Jpeg,
    /// PNG.
    Png,
}

/// How HLS is cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hls {
    /// The length of a segment; it ends at the next random access point. A duration. Default: `2s`.
    #[serde(default = "segment")]
    pub segment: Duration,
    /// The length of a part (low latency). A duration. Default: `200ms`.
    #[serde(default = "part")]
    pub part: Duration,
    /// How many segments the playlist lists (3 to 1000). Default: 6.
    #[serde(default = "window")]
    #[schemars(range(min = 3, max = 1000))]
    pub window: u16,
}

const fn segment() -> Duration {
    Duration::from_secs(2)
}

const fn part() -> Duration {
    Duration::from_millis(200)
}

const fn window() -> u16 {
    6
}

impl Default for Hls {
    fn default() -> Self {
        Self { segment: segment(), part: part(), window: window() }
    }
}

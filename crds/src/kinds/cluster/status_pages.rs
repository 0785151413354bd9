use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::yes;

/// The status page for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusPage {
    /// Whether there is one. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Where it is. Default: `/stat`.
    #[serde(default = "stat")]
    #[schemars(length(max = 256), regex(pattern = "^(/[A-Za-z0-9._~@:+=,-]+)+$"))]
    pub path: String,
    /// Whether it, and the status for programs, show the clients that are connected. Default: false.
    #[serde(default)]
    pub clients: bool,
}

fn stat() -> String {
    "/stat".to_owned()
}

impl Default for StatusPage {
    fn default() -> Self {
        Self { enabled: true, path: stat(), clients: false }
    }
}

/// The status for programs, in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusApi {
    /// Whether there is one. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Where it is. Default: `/stat.json`.
    #[serde(default = "stat_json")]
    #[schemars(length(max = 256), regex(pattern = "^(/[A-Za-z0-9._~@:+=,-]+)+$"))]
    pub path: String,
}

fn stat_json() -> String {
    "/stat.json".to_owned()
}

impl Default for StatusApi {
    fn default() -> Self {
        Self { enabled: true, path: stat_json() }
    }
}

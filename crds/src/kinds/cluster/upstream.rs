use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Another Cluster that streams are pulled from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// Its name here.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// Its address: `millrace://HOST:PORT`. It holds no user name and no password.
    #[schemars(length(max = 1024), regex(pattern = "^millrace://[^ ]+$"))]
    #[x_kube(validation = rules::NO_PASSWORD)]
    pub url: String,
    /// The keys that prove who we are. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<UpstreamCredentials>,
}

/// The keys that prove to another Cluster who we are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamCredentials {
    /// A Secret that the other Cluster's operator issued.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Another Cluster that streams are pulled from: what no pod of this one has is asked for there, when somebody watches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// Its name here.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// Its address: `millrace://HOST:PORT`, where viewers reach its HTTP (port 8080 if none is said); `millraces://` over TLS,
    /// where they reach its HTTPS (8443); `millrace+ws://` and `millrace+wss://` as a WebSocket, which passes proxies. It
    /// holds no user name and no password.
    #[schemars(length(max = 1024), regex(pattern = r"^millrace(s|\+wss?)?://[^ /?#]+/?$"))]
    #[x_kube(validation = rules::NO_PASSWORD)]
    pub url: String,
    /// What proves to it who we are, and to us that it is the right one. Default: nothing; certificates are believed
    /// that machines usually believe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<UpstreamCredentials>,
}

/// What proves to another Cluster who we are, and to us that it is the right one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamCredentials {
    /// A Secret with the keys `username` and `password`, which the other Cluster asks for in `access.play`; or `ca.crt`,
    /// the authorities (PEM) that may have signed its certificate; or both.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

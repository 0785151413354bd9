use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretKeyRef, SecretRef};
use crate::rules;

/// Who may do what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Who may watch streams and take snapshots. Default: anyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play: Option<Grant>,
    /// Who may send to feeds that wait for a publisher, where the feed does not say it. Default: anyone who can reach the
    /// listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Grant>,
    /// Who may see the status pages and metrics, restart and drain. Default: anyone may look, nobody may act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operate: Option<Grant>,
}

/// Whom one right is given to: `anyone`, or everybody who passes one of the other checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::GRANT)]
pub struct Grant {
    /// Everybody, without a question. Default: false.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub anyone: bool,
    /// Those who know a user name and password. Default: nobody by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAccess>,
    /// Those who bring a signed token. Default: nobody by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenAccess>,
    /// Those who bring a client certificate. Default: nobody by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateAccess>,
}

/// User name and password (HTTP Basic, RFC 7617; RTMP and RTSP have their own ways to carry them).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BasicAccess {
    /// A Secret with the keys `username` and `password` (type `kubernetes.io/basic-auth`).
    pub secret_ref: SecretRef,
}

/// Signed tokens (JWT, RFC 7519) in the `Authorization` header or the `token` parameter of the address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenAccess {
    /// The key that signs them: a shared secret or a public key in PEM.
    pub key_from: TokenKey,
    /// The issuer that a token must name. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub issuer: Option<String>,
    /// The audience that a token must name. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub audience: Option<String>,
}

/// Where the key of tokens is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenKey {
    /// A key of a Secret in the same namespace.
    pub secret_key_ref: SecretKeyRef,
}

/// Client certificates (TLS).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateAccess {
    /// A Secret whose key `ca.crt` holds the authorities that may have signed them.
    pub secret_ref: SecretRef,
    /// Names (subject alternative names) of which a certificate must have one. Default: any name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    pub names: Vec<String>,
}

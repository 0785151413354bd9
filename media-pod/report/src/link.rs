//! Files that media pods are given for the links between them: whom to believe, and what was granted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `members.json`: whose word counts in one Cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Members {
    /// Ed25519 public keys that grants are signed with, by any name: 64 hexadecimal digits each.
    #[serde(default)]
    pub grant_keys: BTreeMap<String, String>,
    /// The keys of each member (a slot, the balancers); more than one while they change.
    #[serde(default)]
    pub members: BTreeMap<String, Vec<Key>>,
    /// Which member a pod is, by the pod's UID: no other may say that it is that pod. Who is not named may be anybody.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pods: BTreeMap<String, String>,
}

/// A key of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// Ed25519 public key: 64 hexadecimal digits.
    pub key: String,
    /// Role bits: 256 server, 512 balancer.
    pub role: u16,
}

/// A grant, and what it is for as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedGrant {
    /// The Feed, if it is a Feed's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// The Stream, if it is a Stream's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The signed grant, in Base64.
    pub grant: String,
}

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Size;
use crate::rules;

/// Where a pod's files come from. Exactly one kind of volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::ONE_VOLUME)]
pub struct Volume {
    /// A `PersistentVolumeClaim` in the same namespace. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<ClaimVolume>,
    /// A directory of the node. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_path: Option<HostPathVolume>,
    /// A directory of an NFS server. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nfs: Option<NfsVolume>,
    /// An empty directory that lives as long as the pod. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDirVolume>,
}

/// A `PersistentVolumeClaim`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimVolume {
    /// The claim's name.
    #[schemars(length(min = 1, max = 253))]
    pub claim_name: String,
    /// Mounted so that nothing can be written. Default: false.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub read_only: bool,
}

/// A directory of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostPathVolume {
    /// The directory's absolute path on the node.
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
}

/// A directory of an NFS server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NfsVolume {
    /// The server's name or address.
    #[schemars(length(min = 1, max = 253))]
    pub server: String,
    /// The directory that the server exports.
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
    /// Mounted so that nothing can be written. Default: false.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub read_only: bool,
}

/// An empty directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmptyDirVolume {
    /// The most it may hold, in bytes (`10Gi`). Default: what the node has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_limit: Option<Size>,
}

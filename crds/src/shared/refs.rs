use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names the Cluster something runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRef {
    /// The name of a Cluster in the same namespace. Default: `default`.
    #[serde(default = "default_cluster")]
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
}

fn default_cluster() -> String {
    "default".to_owned()
}

impl Default for ClusterRef {
    fn default() -> Self {
        Self { name: default_cluster() }
    }
}

/// Names a Stream in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamRef {
    /// The name of a Stream in the same namespace.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
}

/// Names a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The name of a Secret in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Names one key of a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of a Secret in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in the Secret's `data`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

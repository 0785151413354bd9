use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Size;

/// A Kubernetes quantity, handed on as it is written: `500m` of a CPU, `256Mi` of memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Quantity {
    /// A plain number.
    Int(i64),
    /// A number with a suffix.
    Text(String),
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "pattern": "^[0-9]{1,15}([.][0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$",
            "maxLength": 24,
        })
    }
}

/// What a command may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What its container asks of the node, by resource name, as in a Pod. Default: none.
    /// Without Kubernetes: not used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub requests: BTreeMap<String, Quantity>,
    /// What its container may use at most, by resource name, as in a Pod. Default: none.
    /// Without Kubernetes: not used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub limits: BTreeMap<String, Quantity>,
    /// The most memory that one process of the command may have, in bytes (`256Mi`): one that wants more
    /// ends alone, before its container does. Default: no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_per_process: Option<Size>,
}

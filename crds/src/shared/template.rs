use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ArgValue;

/// Names a command of the Cluster's `spec.templates` and gives its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateRef {
    /// The template's name in the Cluster's `spec.templates`.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Values for the template's `{placeholders}`, by name, each a whole number or a string. What is
    /// absent comes from the template's own `args`; a name that the template does not use is an error. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub args: BTreeMap<String, ArgValue>,
}

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{
    rules,
    shared::{ArgValue, TemplateRef},
};

/// A command that Feeds and Streams use by name: exactly one of `command` and `template`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::TEMPLATE_COMMAND)]
pub struct Template {
    /// A program and its arguments. `{input}`, `{output}` and `{feed:NAME}` are filled by Millrace, every other
    /// `{name}` is an argument. `{{` and `}}` stand for braces; `%{…}` stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), inner(length(max = 4096)), extend("x-kubernetes-list-type" = "atomic"))]
    pub command: Option<Vec<String>>,
    /// Another template that this one gives arguments to; they may hold this one's `{names}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// Values for arguments that whoever uses the template does not give, by name. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub args: BTreeMap<String, ArgValue>,
}

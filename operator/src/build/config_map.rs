//! A slot's `ConfigMap`: the durable copy of its configuration, for starts and for times without an operator.

use k8s_openapi::api::core::v1::ConfigMap;
use millrace_report::message::Configuration;

use super::{Owner, same};
use crate::{kept::Placement, labels, names};

/// Builds it.
pub fn build(owner: &Owner, slot: &str, placement: &Placement, configuration: &Configuration) -> ConfigMap {
    // Without the Secrets: whoever reads it could try passwords.
    let hash = names::hash(&[&configuration.yaml]);
    let annotations = labels::map([
        (labels::PLACEMENT, &serde_json::to_string(placement).unwrap_or_default()),
        (labels::HASH, &hash),
    ]);
    let map = ConfigMap {
        metadata: owner.metadata(slot, labels::of_slot(&owner.name, slot), annotations),
        data: Some(labels::map([
            ("millrace.yaml", &configuration.yaml),
            ("revision", &configuration.revision.to_string()),
            ("template", &configuration.template),
        ])),
        ..ConfigMap::default()
    };
    same::mark(map, |map| &mut map.metadata)
}

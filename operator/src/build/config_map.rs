//! A slot's `ConfigMap`: the durable copy of its configuration, for starts and for times without an operator.

use k8s_openapi::api::core::v1::ConfigMap;
use millrace_report::{link::Members, message::Configuration};

use super::{Owner, same};
use crate::{kept::Placement, labels, names};

/// Builds it.
pub fn build(
    owner: &Owner,
    slot: &str,
    placement: &Placement,
    configuration: &Configuration,
    members: &Members,
) -> ConfigMap {
    let placement = serde_json::to_string(placement).unwrap_or_default();
    let annotations = labels::with(hash(configuration), labels::PLACEMENT, &placement);
    let map = ConfigMap {
        metadata: owner.metadata(slot, labels::of_slot(&owner.name, slot), annotations),
        data: Some(data(configuration, members)),
        ..ConfigMap::default()
    };
    same::mark(map, |map| &mut map.metadata)
}

/// The hash of what is in it. Without the Secrets: whoever reads it could try passwords.
pub(super) fn hash(configuration: &Configuration) -> labels::Map {
    labels::map([(labels::HASH, &names::hash(&[&configuration.yaml]))])
}

/// What is in it.
pub(super) fn data(configuration: &Configuration, members: &Members) -> labels::Map {
    labels::map([
        ("millrace.yaml", &configuration.yaml),
        ("revision", &configuration.revision.to_string()),
        ("template", &configuration.template),
        ("members.json", &serde_json::to_string(members).unwrap_or_default()),
    ])
}

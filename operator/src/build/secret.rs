//! A slot's Secret: the Secrets that its configuration names, and what its media pod proves itself with.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use millrace_report::{message::Configuration, token};

use super::Owner;
use crate::{kept::Placement, labels, view::Settings};

/// Builds it.
pub fn build(
    owner: &Owner,
    settings: &Settings,
    slot: &str,
    placement: &Placement,
    configuration: &Configuration,
) -> Secret {
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let token = token::slot_token(&settings.token_key, &owner.namespace, slot);
    let data = BTreeMap::from([
        ("secrets.yaml".to_owned(), text(&configuration.secrets)),
        ("revision".to_owned(), text(&configuration.revision.to_string())),
        ("token".to_owned(), text(&token)),
        ("operator.crt".to_owned(), text(&settings.operator_certificate)),
    ]);
    let placement = serde_json::to_string(placement).unwrap_or_default();
    // The second copy of the placement: a ConfigMap that somebody deletes moves nothing.
    let annotations = labels::map([(labels::PLACEMENT, &placement)]);
    // Without a mark of what was applied: whoever reads its metadata alone could try passwords.
    Secret {
        metadata: owner.metadata(slot, labels::of_slot(&owner.name, slot), annotations),
        type_: Some("Opaque".to_owned()),
        data: Some(data),
        ..Secret::default()
    }
}

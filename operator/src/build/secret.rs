//! A slot's Secret: the Secrets that its configuration names, and what its media pod proves itself with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use millrace_report::{message::Configuration, token};

use super::Owner;
use crate::{kept::Placement, keys, labels, view::Settings};

/// Builds it.
pub fn build(
    owner: &Owner,
    settings: &Settings,
    slot: &str,
    placement: &Placement,
    configuration: &Configuration,
    now: Timestamp,
) -> Secret {
    let placement = serde_json::to_string(placement).unwrap_or_default();
    // The second copy of the placement: a ConfigMap that somebody deletes moves nothing.
    let annotations = labels::map([(labels::PLACEMENT, &placement)]);
    // Without a mark of what was applied: whoever reads its metadata alone could try passwords.
    Secret {
        metadata: owner.metadata(slot, labels::of_slot(&owner.name, slot), annotations),
        type_: Some("Opaque".to_owned()),
        data: Some(data(owner, settings, slot, configuration, now)),
        ..Secret::default()
    }
}

/// What is in it.
pub(super) fn data(
    owner: &Owner,
    settings: &Settings,
    slot: &str,
    configuration: &Configuration,
    now: Timestamp,
) -> BTreeMap<String, ByteString> {
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let token = token::slot_token(&settings.token_key, &owner.namespace, slot);
    let generation = keys::generation(now, settings.key_rotation);
    let key = keys::member_pem(&settings.token_key, &owner.namespace, slot, generation);
    BTreeMap::from([
        ("secrets.yaml".to_owned(), text(&configuration.secrets)),
        ("revision".to_owned(), text(&configuration.revision.to_string())),
        ("token".to_owned(), text(&token)),
        ("operator.crt".to_owned(), text(&settings.operator_certificate)),
        ("member.key".to_owned(), text(&key)),
    ])
}

//! The balancers' Secret: the Secrets that the Cluster names, and what balancers prove themselves with.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use millrace_report::message::Configuration;

use crate::{
    build::{Owner, secret},
    labels, names,
    view::Settings,
};

/// Builds it.
pub fn build(owner: &Owner, settings: &Settings, configuration: &Configuration, now: Timestamp) -> Secret {
    let name = names::balancers(&owner.name);
    Secret {
        metadata: owner.metadata(&name, labels::of_balancers(&owner.name), labels::map([])),
        type_: Some("Opaque".to_owned()),
        data: Some(secret::data(owner, settings, &name, configuration, now)),
        ..Secret::default()
    }
}

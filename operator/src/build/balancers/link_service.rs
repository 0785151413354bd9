//! `CLUSTER-link`: a headless Service by which server pods find every balancer. One that is not Ready yet is among them:
//! it becomes Ready by being told what there is.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::LINK;
use crate::{
    build::{Owner, same},
    labels, names,
};

/// Builds it.
pub fn build(owner: &Owner) -> Service {
    let service = Service {
        metadata: owner.metadata(
            &names::link(&owner.name),
            labels::of_balancers(&owner.name),
            labels::map([]),
        ),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(labels::balancers(&owner.name)),
            ports: Some(vec![ServicePort {
                name: Some("link".to_owned()),
                port: i32::from(LINK),
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::Int(i32::from(LINK))),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    };
    same::mark(service, |service| &mut service.metadata)
}

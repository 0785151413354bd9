//! `CLUSTER-balancers`: the Service that viewers reach.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use millrace_crds::{FinalCluster, kinds::ServiceType};

use super::{Owner, same};
use crate::{labels, names};

/// Builds it; nothing where nothing is listened for that balancers serve.
pub fn build(owner: &Owner, cluster: &FinalCluster) -> Option<Service> {
    let ports: Vec<ServicePort> = [("http", &cluster.http), ("https", &cluster.https)]
        .into_iter()
        .filter_map(|(name, listener)| {
            let port = i32::from(listener.as_ref()?.port);
            Some(ServicePort {
                name: Some(name.to_owned()),
                port,
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::Int(port)),
                ..ServicePort::default()
            })
        })
        .collect();
    if ports.is_empty() {
        return None;
    }
    let type_ = match cluster.service.type_ {
        ServiceType::ClusterIp => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    };
    let service = Service {
        metadata: owner.metadata(
            &names::balancers(&owner.name),
            labels::with(labels::of_cluster(&owner.name), "app.kubernetes.io/component", labels::BALANCER),
            cluster.service.annotations.clone(),
        ),
        spec: Some(ServiceSpec {
            type_: Some(type_.to_owned()),
            selector: Some(labels::balancers(&owner.name)),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    };
    Some(same::mark(service, |service| &mut service.metadata))
}

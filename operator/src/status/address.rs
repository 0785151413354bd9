//! Where viewers reach a Cluster, by the type of its Service.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use kube::ResourceExt;

use crate::{decide::Known, names, view::View};

/// Where viewers reach a Cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    scheme: &'static str,
    host: String,
    port: i32,
    /// A load balancer that the cloud has given no address yet: it is only reached from within, or by a node.
    pub pending: bool,
}

impl Place {
    /// The address without a path.
    pub fn base(&self) -> String {
        match (self.scheme, self.port) {
            ("http", 80) | ("https", 443) => format!("{}://{}", self.scheme, self.host),
            _ => format!("{}://{}:{}", self.scheme, self.host, self.port),
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base())
    }
}

/// Finds it; nothing where there is no Service, or nothing that it leads to.
pub fn find(view: &View, known: &Known<'_>) -> Option<Place> {
    known.settled.resolved.as_ref()?;
    let name = names::balancers(&view.name);
    let service = view.services.iter().find(|service| service.name_any() == name)?;
    let spec = service.spec.as_ref()?;
    let ports = spec.ports.as_deref().unwrap_or_default();
    let (scheme, port) = scheme(ports)?;
    let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
    if kind == "LoadBalancer"
        && let Some(host) = ingress(service)
    {
        return Some(Place { scheme, host, port: port.port, pending: false });
    }
    let pending = kind == "LoadBalancer";
    if let (true, Some(node_port), Some(node)) = (kind != "ClusterIP", port.node_port, node(view)) {
        return Some(Place { scheme, host: bracketed(node), port: node_port, pending });
    }
    Some(Place { scheme, host: format!("{name}.{}.svc", view.namespace), port: port.port, pending })
}

fn scheme(ports: &[ServicePort]) -> Option<(&'static str, &ServicePort)> {
    let named = |name: &str| ports.iter().find(|port| port.name.as_deref() == Some(name));
    named("http").map(|port| ("http", port)).or_else(|| named("https").map(|port| ("https", port)))
}

fn ingress(service: &Service) -> Option<String> {
    let all = service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?;
    all.iter().find_map(|it| match (&it.hostname, &it.ip) {
        (Some(name), _) if !name.is_empty() => Some(name.clone()),
        (_, Some(ip)) => Some(ip.parse().map_or_else(|_| ip.clone(), bracketed)),
        _ => None,
    })
}

/// The node that was named before, while it is there; else the first.
fn node(view: &View) -> Option<IpAddr> {
    let before = view.cluster.as_ref().and_then(|cluster| cluster.status.as_ref()?.address.clone());
    let host = |ip: &IpAddr| format!("//{}:", bracketed(*ip));
    let same = view.nodes.iter().find(|ip| before.as_ref().is_some_and(|it| it.contains(&host(ip))));
    same.or_else(|| view.nodes.iter().min_by_key(|ip| (ip.is_ipv6(), **ip))).copied()
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

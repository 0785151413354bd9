//! Addresses that nodes are reached at from outside.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::watcher::{Config, Event},
};

use super::{health::Health, reflect::follow};

/// The nodes' addresses; nothing else is kept of them.
#[derive(Debug, Default)]
pub struct Nodes {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    nodes: BTreeMap<String, Addresses>,
    listing: BTreeMap<String, Addresses>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Addresses {
    cordoned: bool,
    external: Vec<IpAddr>,
    internal: Vec<IpAddr>,
}

impl Nodes {
    /// Follows the nodes for ever; where that is not allowed there are none, and the log says so.
    pub async fn follow(&self, client: Client, changed: impl Fn() + Send) {
        let health = Health::default();
        let take = |event| {
            if self.take(event) {
                changed();
            }
        };
        follow(Api::<Node>::all(client), Config::default(), "nodes", &None, &health, take).await;
    }

    /// External addresses where there are any, else internal ones.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let all = |which: fn(&Addresses) -> &Vec<IpAddr>| -> Vec<IpAddr> {
            known.nodes.values().flat_map(which).copied().collect()
        };
        let external = all(|it| &it.external);
        if external.is_empty() { all(|it| &it.internal) } else { external }
    }

    /// Whether a node takes nothing new, as `kubectl drain` says first.
    pub fn is_cordoned(&self, name: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.nodes.get(name).is_some_and(|node| node.cordoned)
    }

    fn take(&self, event: Event<Node>) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => known.listing.clear(),
            Event::InitApply(node) => drop(known.listing.insert(node.name_any(), addresses(&node))),
            Event::InitDone => {
                let listed = std::mem::take(&mut known.listing);
                let changed = known.nodes != listed;
                known.nodes = listed;
                return changed;
            }
            Event::Apply(node) => {
                let addresses = addresses(&node);
                return known.nodes.insert(node.name_any(), addresses.clone()) != Some(addresses);
            }
            Event::Delete(node) => return known.nodes.remove(&node.name_any()).is_some(),
        }
        false
    }
}

fn addresses(node: &Node) -> Addresses {
    let all = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    let of = |kind: &str| {
        let all = all.clone().filter(|address| address.type_ == kind);
        all.filter_map(|address| address.address.parse().ok()).collect()
    };
    let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
    Addresses { cordoned, external: of("ExternalIP"), internal: of("InternalIP") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, addresses: &[(&str, &str)]) -> Node {
        let addresses: Vec<_> =
            addresses.iter().map(|(kind, at)| json!({"type": kind, "address": at})).collect();
        serde_json::from_value(json!({"metadata": {"name": name}, "status": {"addresses": addresses}}))
            .unwrap()
    }

    #[test]
    fn external_addresses_come_before_internal_ones_and_names_do_not_count() {
        let nodes = Nodes::default();
        let first = node("a", &[("Hostname", "a"), ("InternalIP", "10.0.0.1")]);
        assert!(nodes.take(Event::Apply(first.clone())));
        assert!(!nodes.take(Event::Apply(first)), "a heartbeat changes nothing");
        assert_eq!(nodes.addresses(), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        nodes.take(Event::Apply(node("b", &[("InternalIP", "10.0.0.2"), ("ExternalIP", "192.0.2.1")])));
        assert_eq!(nodes.addresses(), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    }
}

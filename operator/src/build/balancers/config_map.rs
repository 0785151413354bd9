//! The balancers' `ConfigMap`: the Cluster, and whom they believe on links.

use k8s_openapi::api::core::v1::ConfigMap;
use millrace_report::{link::Members, message::Configuration};

use crate::{
    build::{Owner, config_map, content::LARGEST, same},
    labels, names,
};

/// Builds it. Of more members than a `ConfigMap` holds (some seven thousand) the last by name are left out: these a
/// balancer believes only once the operator has told it of them.
pub fn build(owner: &Owner, configuration: &Configuration, members: &Members) -> ConfigMap {
    let room = LARGEST.saturating_sub(configuration.yaml.len());
    let map = ConfigMap {
        metadata: owner.metadata(
            &names::balancers(&owner.name),
            labels::of_balancers(&owner.name),
            config_map::hash(configuration),
        ),
        data: Some(config_map::data(configuration, &that_fit(members, room))),
        ..ConfigMap::default()
    };
    same::mark(map, |map| &mut map.metadata)
}

fn that_fit(members: &Members, room: usize) -> Members {
    let mut fit = Members { grant_keys: members.grant_keys.clone(), ..Members::default() };
    let mut left = room.saturating_sub(serde_json::to_string(&fit).map_or(0, |text| text.len()));
    for (name, keys) in &members.members {
        // The name in quotes, a colon, a comma.
        let size = serde_json::to_string(keys).map_or(0, |text| text.len()) + name.len() + 4;
        let Some(rest) = left.checked_sub(size) else { break };
        left = rest;
        fit.members.insert(name.clone(), keys.clone());
    }
    fit
}

#[cfg(test)]
mod tests {
    use millrace_report::link::Key;

    use super::*;

    #[test]
    fn the_config_map_of_a_hundred_thousand_members_is_one_that_kubernetes_takes() {
        let key = |at: usize| Key { key: format!("{at:064x}"), role: 256 };
        let all = (0..100_000).map(|at| (format!("default-feed-{at}"), vec![key(at), key(at + 1)]));
        let members = Members {
            grant_keys: [("1".into(), "k".into())].into(),
            members: all.collect(),
            ..Members::default()
        };
        let owner = Owner { namespace: "n".into(), name: "default".into(), uid: "u".into() };
        let configuration = Configuration {
            revision: 1,
            yaml: "y".repeat(10_000),
            secrets: String::new(),
            template: String::new(),
        };
        let map = build(&owner, &configuration, &members);
        let data = map.data.unwrap();
        let size: usize = data.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!((900 << 10..1 << 20).contains(&size), "{size}");
        let read: Members = serde_json::from_str(&data["members.json"]).unwrap();
        assert!(read.members.len() > 4000 && read.grant_keys.len() == 1);
        let few = Members { members: members.members.into_iter().take(1000).collect(), ..Members::default() };
        assert_eq!(that_fit(&few, LARGEST), few);
    }
}

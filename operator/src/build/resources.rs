//! What a transcoder's container may use: the sum of what its Feeds and Streams say; where none says anything, what the
//! Cluster says. So a Stream that says nothing comes and goes without another pod.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource};
use millrace_crds::shared::{Quantity, Resources};

use super::quantity;

/// The resources of a container, by what its commands say; `all`: each of them says something.
pub fn of(said: &[&Resources], all: bool, default: Option<&Resources>) -> Option<ResourceRequirements> {
    let said: Vec<&Resources> =
        said.iter().copied().filter(|it| !it.requests.is_empty() || !it.limits.is_empty()).collect();
    let said = if said.is_empty() { default.into_iter().collect() } else { said };
    let requests = sum(said.iter().map(|it| &it.requests), None);
    // One command without a limit would be held to that of its neighbours.
    let count = said.len();
    let limits = if all || default.is_some_and(|it| said.iter().all(|one| std::ptr::eq(*one, it))) {
        sum(said.iter().map(|it| &it.limits), Some(count))
    } else {
        BTreeMap::new()
    };
    if requests.is_empty() && limits.is_empty() {
        return None;
    }
    let some = |map: BTreeMap<_, _>| (!map.is_empty()).then_some(map);
    Some(ResourceRequirements {
        requests: some(requests),
        limits: some(limits),
        ..ResourceRequirements::default()
    })
}

fn sum<'a>(
    maps: impl Iterator<Item = &'a BTreeMap<String, Quantity>>,
    only_if_said_by: Option<usize>,
) -> BTreeMap<String, resource::Quantity> {
    let mut by_name: BTreeMap<&String, Vec<&Quantity>> = BTreeMap::new();
    for (name, quantity) in maps.flatten() {
        by_name.entry(name).or_default().push(quantity);
    }
    by_name
        .into_iter()
        .filter(|(_, all)| only_if_said_by.is_none_or(|count| all.len() == count))
        .filter_map(|(name, all)| {
            let text = match all.as_slice() {
                [one] => quantity::text(one),
                several => {
                    quantity::print(several.iter().map(|it| quantity::parse(it)).sum::<Option<i128>>()?)
                }
            };
            Some((name.clone(), resource::Quantity(text)))
        })
        .collect()
}

//! `CLUSTER-servers`: a drain of nodes takes one media pod at a time.
//!
//! It is said as a whole `minAvailable`: `maxUnavailable` and percentages count from the replicas of the pods'
//! controller, and the scale of a Cluster is that of its balancers.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::{Owner, same};
use crate::{labels, names};

/// Builds it.
pub fn build(owner: &Owner, slots: usize) -> PodDisruptionBudget {
    let budget = PodDisruptionBudget {
        metadata: owner.metadata(
            &names::servers(&owner.name),
            labels::of_cluster(&owner.name),
            labels::map([]),
        ),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(slots.saturating_sub(1) as i32)),
            selector: Some(LabelSelector {
                match_labels: Some(labels::servers(&owner.name)),
                ..LabelSelector::default()
            }),
            // A pod that is not Ready keeps nobody's media: it may always go.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    };
    same::mark(budget, |budget| &mut budget.metadata)
}

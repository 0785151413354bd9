//! `CLUSTER-balancers`: a drain of nodes takes one balancer at a time; where there is but one, that one.
//!
//! Unlike that of server pods it can count from the replicas of the pods' controller, however many those are by now: it is
//! a Deployment.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use crate::{
    build::{Owner, same},
    labels, names,
};

/// Builds it.
pub fn build(owner: &Owner) -> PodDisruptionBudget {
    let budget = PodDisruptionBudget {
        metadata: owner.metadata(
            &names::balancers(&owner.name),
            labels::of_balancers(&owner.name),
            labels::map([]),
        ),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(labels::balancers(&owner.name)),
                ..LabelSelector::default()
            }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    };
    same::mark(budget, |budget| &mut budget.metadata)
}

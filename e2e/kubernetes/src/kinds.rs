//! The kinds of objects that tests look at.

use kube::{api::ApiResource, core::GroupVersionKind};

const KINDS: [(&str, &str, &str, &str, bool); 23] = [
    ("", "v1", "Namespace", "namespaces", false),
    ("", "v1", "Node", "nodes", false),
    ("", "v1", "Pod", "pods", true),
    ("", "v1", "Service", "services", true),
    ("", "v1", "Secret", "secrets", true),
    ("", "v1", "ConfigMap", "configmaps", true),
    ("", "v1", "Endpoints", "endpoints", true),
    ("", "v1", "ServiceAccount", "serviceaccounts", true),
    ("events.k8s.io", "v1", "Event", "events", true),
    ("apps", "v1", "Deployment", "deployments", true),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("coordination.k8s.io", "v1", "Lease", "leases", true),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", true),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false),
    ("millrace.dev", "v1alpha1", "Cluster", "clusters", true),
    ("millrace.dev", "v1alpha1", "Feed", "feeds", true),
    ("millrace.dev", "v1alpha1", "Stream", "streams", true),
    ("millrace.dev", "v1alpha1", "Room", "rooms", true),
];

/// How the API server knows a kind, and whether it is in namespaces.
pub(crate) fn api(kind: &str) -> (ApiResource, bool) {
    let found = KINDS.iter().find(|(_, _, known, _, _)| *known == kind);
    let (group, version, kind, plural, namespaced) =
        *found.unwrap_or_else(|| panic!("{kind}: add it to the table of kinds"));
    (ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural), namespaced)
}

use crate::kinds::{API_VERSION, GROUP};

/// What becomes of a document of this apiVersion and kind.
pub(super) enum Known {
    /// One of ours, by its name in the definitions.
    Ours(&'static str),
    Secret,
    List,
    /// Something of Kubernetes itself that is no business of ours.
    Other,
    /// Nothing that is known: what is wrong, and what would be right.
    No(String, String),
}

const OURS: [&str; 4] = ["Cluster", "Feed", "Room", "Stream"];
const KNOWN: &str = "Feed, Stream, Cluster and Room of millrace.dev/v1alpha1, and Secret and List of v1";

pub(super) fn known(version: &str, kind: &str) -> Known {
    let ours = OURS.into_iter().find(|it| *it == kind);
    match (version, kind) {
        (API_VERSION, _) => ours.map_or_else(
            || Known::No(format!("{API_VERSION} has no kind {kind}"), crate::hint::help(kind, OURS)),
            Known::Ours,
        ),
        ("v1", "Secret") => Known::Secret,
        ("v1", "List") => Known::List,
        _ if version.starts_with(GROUP) || ours.is_some() => Known::No(
            format!("the apiVersion {version} is not known for kind {kind}"),
            match ours {
                Some(_) => format!("write apiVersion: {API_VERSION}"),
                None => format!("known are {KNOWN}"),
            },
        ),
        _ if is_kubernetes(version) => Known::Other,
        _ => Known::No(format!("{version} {kind} is not known"), format!("known are {KNOWN}")),
    }
}

/// API groups that are part of Kubernetes: `v1`, `apps/v1`, `rbac.authorization.k8s.io/v1`.
fn is_kubernetes(version: &str) -> bool {
    match version.split_once('/') {
        None => version == "v1",
        Some((group, _)) => {
            matches!(group, "apps" | "batch" | "autoscaling" | "policy") || group.ends_with(".k8s.io")
        }
    }
}

//! What a request is, by its method and path: in words of which there are few. Pure.

/// The verb as in RBAC, and the resource.
pub fn understand(method: &str, path: &str, query: &str) -> (&'static str, &'static str) {
    let (resource, named) = resource(path);
    let watches = query.split('&').any(|it| it == "watch=true" || it == "watch=1");
    let verb = match (method, named) {
        ("GET", false) if watches => "watch",
        ("GET", false) => "list",
        ("GET", true) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", _) => "delete",
        _ => "other",
    };
    (verb, resource)
}

const KNOWN: &[(&str, &str)] = &[
    ("clusters", "clusters/status"),
    ("configmaps", "configmaps/other"),
    ("deployments", "deployments/other"),
    ("events", "events/other"),
    ("feeds", "feeds/status"),
    ("leases", "leases/other"),
    ("nodes", "nodes/other"),
    ("poddisruptionbudgets", "poddisruptionbudgets/other"),
    ("pods", "pods/other"),
    ("rooms", "rooms/status"),
    ("secrets", "secrets/other"),
    ("services", "services/other"),
    ("streams", "streams/status"),
];

/// The resource with its subresource, and whether one object of it is named.
fn resource(path: &str) -> (&'static str, bool) {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let versions = if parts.next() == Some("api") { 1 } else { 2 };
    let mut parts = parts.skip(versions).peekable();
    if parts.peek() == Some(&"namespaces") {
        parts.next();
        parts.next();
    }
    let (kind, name, sub) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let known = KNOWN.iter().find(|(known, _)| *known == kind);
    let resource = known.map_or("other", |(whole, part)| if sub.is_some() { part } else { whole });
    (resource, name.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_by_verb_and_resource() {
        for (method, path, query, expected) in [
            ("GET", "/api/v1/pods", "limit=500", ("list", "pods")),
            ("GET", "/api/v1/namespaces/a/pods", "watch=true&timeoutSeconds=290", ("watch", "pods")),
            ("GET", "/apis/coordination.k8s.io/v1/namespaces/a/leases/x", "", ("get", "leases")),
            (
                "PATCH",
                "/apis/millrace.dev/v1alpha1/namespaces/a/feeds/x/status",
                "force=true",
                ("patch", "feeds/status"),
            ),
            ("DELETE", "/api/v1/namespaces/a/pods/x", "", ("delete", "pods")),
            ("POST", "/apis/events.k8s.io/v1/namespaces/a/events", "", ("create", "events")),
            ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/x", "", ("update", "leases")),
            ("GET", "/version", "", ("list", "other")),
        ] {
            assert_eq!(understand(method, path, query), expected, "{method} {path}");
        }
    }
}

//! What people may do, role by role: as the API server says, and by trying as one of them.

use millrace_e2e_kubernetes::{
    Program, Space, await_condition, cluster, feed, is_ready, kubectl, name, steady, stream, uid, with,
    with_temp_namespace,
};
use serde_json::json;

const OURS: [&str; 4] = ["clusters.millrace.dev", "feeds", "streams", "rooms"];

/// Somebody who has one of the roles in one namespace, by a group.
struct Person<'a> {
    space: &'a Space,
    group: String,
}

impl<'a> Person<'a> {
    fn with(space: &'a Space, role: &str) -> Self {
        let group = format!("{}:{role}", space.name());
        space.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": format!("people-{role}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]}));
        let person = Self { space, group };
        // Roles are known to the API server some time after they are told to it.
        await_condition(&format!("{role} holds in {}", space.name()), || {
            person.may("get", "feeds").then_some(())
        });
        person
    }

    fn kubectl(&self, line: &str) -> Program {
        let line = format!("{line} --as=ann");
        self.space.kubectl(&line).with(&["--as-group", &self.group])
    }

    /// What the API server says.
    fn may(&self, verb: &str, resource: &str) -> bool {
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let part = if part.is_empty() { String::new() } else { format!("--subresource={part}") };
        self.kubectl(&format!("auth can-i {verb} {resource} {part}")).run().text().trim() == "yes"
    }

    fn may_all(&self, expected: bool, verbs: &str, resources: &[&str]) {
        for resource in resources {
            for verb in verbs.split(' ') {
                assert_eq!(self.may(verb, resource), expected, "{}: {verb} {resource}", self.group);
            }
        }
    }

    /// A merge patch.
    fn patch(&self, what: &str, change: &str) -> Program {
        self.kubectl(&format!("patch {what} --type=merge -o name")).with(&["-p", change])
    }

    fn refused(&self, program: &Program, why: &str) {
        let said = program.fails();
        assert!(said.contains(why), "{}: {said}", self.group);
    }

    /// Refused since the role does not have the right.
    fn forbidden(&self, line: &str) {
        let said = self.kubectl(line).fails();
        assert!(said.contains("Forbidden") || said.contains("forbidden"), "{}: {line}: {said}", self.group);
    }
}

fn media(space: &Space) {
    space.apply_all(&[
        cluster("default", &json!({})),
        feed("a", &steady()),
        stream("a", "a"),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}}),
    ]);
    space.pod_of("a");
}

#[test]
fn clients_look_and_change_nothing() {
    with_temp_namespace("client", |space| {
        media(space);
        let client = Person::with(space, "millrace-client");
        client.may_all(true, "get list watch", &OURS);
        client.may_all(true, "get list watch", &["leases"]);
        client.may_all(false, "create update patch delete deletecollection operate", &OURS);
        client.may_all(false, "get list watch create delete patch", &["secrets", "configmaps", "pods"]);
        client.may_all(false, "create", &["pods/eviction", "pods/exec", "leases"]);

        assert!(client.kubectl("get feeds,streams,clusters.millrace.dev -o name").ok().contains("feed"));
        client.kubectl("get leases").ok();
        client.kubectl("get feed a --subresource=status").ok();
        for line in [
            "get secrets",
            "get pods",
            "delete feed a",
            "annotate feed a millrace.dev/restart=now",
            "scale clusters.millrace.dev default --replicas=3",
            "get feeds -A",
        ] {
            client.forbidden(line);
        }
        client.refused(&client.patch("feed a", r#"{"spec":{"resurrect":false}}"#), "orbidden");
    });
}

#[test]
fn operators_look_restart_and_drain_and_configure_nothing() {
    with_temp_namespace("operator-role", |space| {
        media(space);
        space.patch("Feed", "a", &json!({"metadata": {"annotations": {"example.org/mine": "yes"}}}));
        let before = space.get("Feed", "a");
        let operator = Person::with(space, "millrace-operator");
        operator.may_all(true, "get list watch", &OURS);
        operator.may_all(true, "get list watch", &["leases", "pods", "services", "events"]);
        operator.may_all(true, "patch operate", &["clusters.millrace.dev", "feeds", "streams", "pods"]);
        operator.may_all(true, "create", &["pods/eviction"]);
        operator.may_all(true, "get", &["pods/log"]);
        operator.may_all(false, "create update delete deletecollection", &OURS);
        operator.may_all(
            false,
            "patch operate",
            &["rooms", "secrets", "leases", "feeds/status", "configmaps"],
        );
        operator.may_all(false, "get list watch", &["secrets", "configmaps"]);
        operator.may_all(false, "create update delete", &["pods", "leases", "pods/exec", "pods/attach"]);

        for what in ["feed a", "stream a", "clusters.millrace.dev default"] {
            operator.kubectl(&format!("annotate {what} millrace.dev/restart=one")).ok();
            operator.kubectl(&format!("annotate {what} millrace.dev/restart=two --overwrite")).ok();
            operator.kubectl(&format!("annotate {what} millrace.dev/restart-")).ok();
            let other = r#"{"metadata":{"annotations":{"millrace.dev/restart":"x","example.org/a":"b"}}}"#;
            operator.refused(&operator.patch(what, other), "and no others");
            let label = r#"{"metadata":{"annotations":{"millrace.dev/restart":"x"},"labels":{"a":"b"}}}"#;
            operator.refused(&operator.patch(what, label), "neither labels");
            let finalizer = r#"{"metadata":{"finalizers":["example.org/never"]}}"#;
            operator.refused(&operator.patch(what, finalizer), "neither labels");
        }
        operator.refused(
            &operator.patch("feed a", r#"{"metadata":{"annotations":{"example.org/mine":null}}}"#),
            "and no others",
        );
        let spec =
            r#"{"metadata":{"annotations":{"millrace.dev/restart":"x"}},"spec":{"activation":"Continuous"}}"#;
        operator.refused(&operator.patch("feed a", spec), "cannot change the spec");
        operator.refused(&operator.patch("stream a", r#"{"spec":{"path":"/b"}}"#), "cannot change the spec");
        let cluster = r#"{"spec":{"balancers":{"replicas":7}}}"#;
        operator.refused(&operator.patch("clusters.millrace.dev default", cluster), "cannot change the spec");
        // Nor by the other ways to the same end.
        let applied = with(feed("a", &steady()), &json!({"activation": "Continuous"})).to_string();
        let apply = operator.kubectl("apply --server-side --force-conflicts -f -").input(&applied);
        operator.refused(&apply, "cannot change the spec");
        operator.refused(&operator.kubectl("replace -f -").input(&applied), "orbidden");
        for line in [
            "delete feed a",
            "delete pods --all",
            "get secrets",
            "get secret s",
            "get configmaps",
            "scale clusters.millrace.dev default --replicas=3",
            "create secret generic t --from-literal=a=b",
            "get feeds -A",
        ] {
            operator.forbidden(line);
        }
        operator
            .refused(&operator.kubectl("create -f -").input(&feed("b", &steady()).to_string()), "orbidden");

        let pod = space.pod_of("a");
        let on = format!("pod {}", name(&pod));
        operator.kubectl(&format!("annotate {on} millrace.dev/drain=true --dry-run=server")).ok();
        let image = r#"{"spec":{"containers":[{"name":"bus","image":"example.org/evil"}]}}"#;
        let strategic = operator.kubectl(&format!("patch {on}")).with(&["-p", image]);
        operator.refused(&strategic, "cannot change the spec");
        let role = r#"{"metadata":{"labels":{"millrace.dev/role":"nobody"}}}"#;
        operator.refused(&operator.patch(&on, role), "neither labels");
        let alien = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alien"}, "spec": {
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "c", "image": "example.org/none", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}});
        space.apply(&alien);
        let drain = operator.kubectl("annotate pod alien millrace.dev/drain=true");
        operator.refused(&drain, "of Millrace only");
        operator.kubectl(&format!("logs {} -c bus --tail=1", name(&pod))).ok();
        assert_eq!(space.get("Feed", "a")["spec"], before["spec"]);

        let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": name(&pod), "namespace": space.name()}});
        let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", space.name(), name(&pod));
        let evict = operator.kubectl(&format!("create --raw {path} -f -")).input(&eviction.to_string());
        // While the budget is being counted it says no.
        await_condition("a media pod is evicted by somebody who operates", || {
            (evict.run().code == Some(0)).then_some(())
        });
        await_condition("another took its place", || {
            space.pods().into_iter().find(|next| uid(next) != uid(&pod) && is_ready(next)).map(drop)
        });
    });
}

#[test]
fn hosts_do_everything_but_write_the_status() {
    with_temp_namespace("host", |space| {
        media(space);
        let host = Person::with(space, "millrace-host");
        host.may_all(true, "get list watch create update patch delete deletecollection", &OURS);
        host.may_all(true, "get list watch", &["pods", "leases", "services"]);
        host.may_all(true, "create", &["pods/eviction"]);
        host.may_all(false, "patch update", &["feeds/status", "leases", "secrets"]);
        host.may_all(false, "get list", &["secrets"]);

        host.kubectl("create -f -").input(&feed("b", &steady()).to_string()).ok();
        host.patch("feed b", r#"{"metadata":{"labels":{"a":"b"}},"spec":{"activation":"Continuous"}}"#).ok();
        host.kubectl("annotate feed b millrace.dev/restart=now example.org/a=b").ok();
        host.kubectl("scale clusters.millrace.dev default --replicas=1").ok();
        host.kubectl("delete feed b --wait=false").ok();
        let status = host.patch("feed a --subresource=status", r#"{"status":{"pod":"mine"}}"#);
        host.refused(&status, "orbidden");
        // Of pods no more than to drain them: RBAC of pods is not ours to give.
        let on = format!("pod {}", name(&space.pod_of("a")));
        host.kubectl(&format!("annotate {on} millrace.dev/drain=true --dry-run=server")).ok();
        let image = r#"{"spec":{"containers":[{"name":"bus","image":"example.org/evil"}]}}"#;
        host.refused(&host.kubectl(&format!("patch {on}")).with(&["-p", image]), "cannot change the spec");
    });
}

#[test]
fn admin_edit_and_view_have_them_and_nobody_else_is_held_by_the_policy() {
    with_temp_namespace("aggregated", |space| {
        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady())]);
        for role in ["admin", "edit"] {
            let person = Person::with(space, role);
            person.may_all(true, "create update patch delete", &OURS);
            let change = format!(r#"{{"spec":{{"env":[{{"name":"BY","value":"{role}"}}]}}}}"#);
            person.patch("feed a", &change).ok();
        }
        let view = Person::with(space, "view");
        view.may_all(true, "get list watch", &OURS);
        view.may_all(false, "patch update delete create operate", &OURS);

        // Who may patch by another role, as the operator's own account, is none of the policy's business.
        space.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "patcher"},
            "rules": [{"apiGroups": ["millrace.dev"], "resources": ["feeds"], "verbs": ["get", "patch"]}]}));
        let group = format!("{}:patchers", space.name());
        space.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "patchers"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "patcher"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]}));
        let patcher = Person { space, group };
        await_condition("the role holds", || patcher.may("patch", "feeds").then_some(()));
        patcher.patch("feed a", r#"{"spec":{"resurrect":false}}"#).ok();
        let policies =
            kubectl("get validatingadmissionpolicies millrace-operator -o jsonpath={.status.typeChecking}");
        assert!(!policies.ok().contains("warning"), "the policy's expressions have the types that they need");
    });
}

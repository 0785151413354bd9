//! The harness itself, on plain objects.

use millrace_e2e_kubernetes::{Space, await_condition, client, kubectl, status_of};
use serde_json::json;

#[test]
fn a_namespace_comes_refuses_what_is_not_restricted_and_goes() {
    let space = Space::create(&format!("e2e-harness-{}", std::process::id()));
    let _ = client();
    space.apply(
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"b": "c"}}),
    );
    assert_eq!(space.get("ConfigMap", "a")["data"]["b"], "c");
    let root = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "c", "image": "x", "securityContext": {"runAsUser": 0}}]}});
    let refused = space.try_apply(&root).unwrap_err().to_string();
    assert!(refused.contains("restricted"), "{refused}");
    assert!(space.kubectl("get configmap a -o name").ok().contains("configmap/a"));
    assert!(kubectl("get nonsense").fails().contains("nonsense"));
    assert_eq!(status_of("http://127.0.0.1:1/", &[]), 0);
    space.end();
    await_condition("the namespace is gone", || {
        space.find("Namespace", space.name()).is_none().then_some(())
    });
}

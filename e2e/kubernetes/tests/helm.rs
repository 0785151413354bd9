//! The charts, by `helm`, beside the operator of `manifests/`, which is stopped for that time.

use millrace_e2e_kubernetes::{
    Operator, Space, await_condition, cluster, feed, helm, is_ready, kubectl, name, steady, stream,
    with_temp_namespace_alone,
};
use serde_json::json;

const CRDS: [&str; 4] = ["clusters", "feeds", "rooms", "streams"];

/// Puts the operator back, whatever happens.
struct Back;

impl Drop for Back {
    fn drop(&mut self) {
        let _ = kubectl("apply --server-side --force-conflicts -R -f manifests/crds/").run();
        let _ = std::panic::catch_unwind(|| Operator.scale(2));
    }
}

#[test]
fn the_charts_install_upgrade_and_go_and_the_crds_stay() {
    with_temp_namespace_alone("helm", |space| {
        let back = Back;
        Operator.scale(0);
        let system = Space::create(&format!("{}-system", space.name()));
        let (release, on) = (system.name().to_owned(), space.name().to_owned());
        let said = helm(&format!("upgrade --install millrace-crds charts/millrace-crds -n {release} --take-ownership --force-conflicts --server-side=true")).run();
        let said = if said.code == Some(0) {
            said
        } else {
            helm(&format!(
                "upgrade --install millrace-crds charts/millrace-crds -n {release} --take-ownership"
            ))
            .run()
        };
        assert_eq!(said.code, Some(0), "{}", said.err);
        let values = format!("--set scope.namespaces={{{on}}} --set people.roles=false");
        let install =
            format!("upgrade --install millrace charts/millrace -n {release} {values} --wait --timeout 170s");
        let notes = helm(&install).ok();
        assert!(notes.contains("kubectl"), "NOTES say what to do next: {notes}");

        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady()), stream("a", "a")]);
        let url = space.ready("Stream", "a")["status"]["url"]["http"].as_str().unwrap_or_default().to_owned();
        // Without a look at nodes it can not say their addresses.
        assert!(url.contains("default-balancers"), "{url}");
        let service = space.get("Service", "default-balancers");
        let port = service["spec"]["ports"][0]["nodePort"].as_u64().unwrap_or_default();
        let node = space.list("Node", "")[0].clone();
        let ip = node["status"]["addresses"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["type"] == "InternalIP")
            .unwrap()["address"]
            .clone();
        let address = millrace_e2e_kubernetes::Address::of(&format!(
            "http://{}:{port}/a",
            ip.as_str().unwrap_or_default()
        ));
        let viewer = address.watch();
        viewer.flows(10_000);
        // It keeps to its namespace.
        let other = Space::create(&format!("{}-other", space.name()));
        other.apply_all(&[cluster("default", &json!({})), feed("a", &steady())]);

        let pods = space.pod_uids();
        helm(&format!("{install} --set replicas=1 --set resources.requests.cpu=20m")).ok();
        await_condition("there is one replica, as upgraded", || {
            let all = system.list("Pod", "app.kubernetes.io/component=operator");
            (all.len() == 1 && all.iter().all(is_ready)).then_some(())
        });
        space.apply(&stream("b", "a"));
        space.ready("Stream", "b");
        assert_eq!(pods, space.pod_uids());
        viewer.flows(10_000);
        assert!(other.get("Feed", "a").get("status").is_none());
        other.end();
        let refused = helm(&format!("{install} --set replicas=zero")).fails();
        assert!(refused.contains("replicas"), "{refused}");

        helm(&format!("uninstall millrace -n {release} --wait")).ok();
        viewer.flows(10_000);
        helm(&format!("uninstall millrace-crds -n {release} --wait")).ok();
        for kind in CRDS {
            assert!(
                space.find("CustomResourceDefinition", &format!("{kind}.millrace.dev")).is_some(),
                "{kind}"
            );
        }
        assert_eq!(name(&space.get("Feed", "a")), "a");
        for kind in ["Deployment", "Role", "RoleBinding", "ServiceAccount"] {
            let left = system.list(kind, "app.kubernetes.io/name=millrace");
            assert!(left.is_empty(), "{kind}: {left:?}");
        }
        system.end();
        drop(back);
        // The other operator takes over what is there.
        space.apply(&stream("c", "a"));
        space.ready("Stream", "c");
        viewer.flows(10_000);
    });
}

//! The cluster's own parts fail.

use std::{thread, time::Duration};

use millrace_e2e_kubernetes::{
    Operator, await_condition, await_within, cluster, feed, is_ready, kubectl, local, name, on_node, steady,
    stream, with_temp_namespace_alone,
};
use serde_json::json;

const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
const ASIDE: &str = "/etc/kubernetes/kube-apiserver.aside";

/// Puts the API server back, whatever happens.
struct Back(String);

impl Drop for Back {
    fn drop(&mut self) {
        on_node(&self.0, &["sh", "-c", &format!("test ! -e {ASIDE} || mv {ASIDE} {MANIFEST}")]).run();
    }
}

fn answers() -> bool {
    kubectl("get --raw /readyz --request-timeout=2s").within(5).run().code == Some(0)
}

#[test]
fn media_flow_on_while_the_api_server_is_gone_for_a_minute() {
    with_temp_namespace_alone("apiserver", |space| {
        if !local() {
            eprintln!("left out: only the API server of e2e/cluster/up can be stopped");
            return;
        }
        space.apply_all(&[cluster("default", &json!({})), feed("a", &steady()), stream("a", "a")]);
        let address = space.address("a");
        let viewer = address.watch();
        viewer.flows(10_000);
        let pods = space.pod_uids();
        let labels = "node-role.kubernetes.io/control-plane";
        let node = name(&space.list("Node", labels)[0]).to_owned();
        let back = Back(node.clone());
        on_node(&node, &["mv", MANIFEST, ASIDE]).ok();
        await_within(Duration::from_mins(1), "the API server is gone", || (!answers()).then_some(()));
        // The minute is what the requirement says.
        for _ in 0..12 {
            thread::sleep(Duration::from_secs(5));
            viewer.flows(10_000);
        }
        address.watch().flows(10_000);
        assert!(!answers());
        drop(back);
        await_condition("the API server is back", || answers().then_some(()));
        let gone = await_condition("the pods can be seen", || Some(space.pod_uids()));
        assert_eq!(gone, pods);
        Operator.ready();
        space.apply(&stream("b", "a"));
        space.ready("Stream", "b");
        viewer.flows(10_000);
        assert_eq!(space.pod_uids(), pods);
        assert!(space.pods().iter().all(is_ready));
    });
}

//! What goes wrong between nodes and on them. All of it is put right when what is given is dropped.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::{Space, await_condition, is_ready, kubectl, name, on_node, wait::await_within};

/// A part of the network that is broken.
pub struct Broken {
    nodes: Vec<String>,
}

impl Broken {
    fn by(nodes: &[String], rules: &str) -> Self {
        // Given first, so that what fails half-way is put right, too.
        let broken = Self { nodes: nodes.to_vec() };
        for node in nodes {
            // One that is left of a test that was ended goes first.
            let whole =
                format!("table inet broken {{}}; delete table inet broken; table inet broken {{ {rules} }}");
            on_node(node, &["nft", &whole]).ok();
        }
        broken
    }

    /// Cuts a node off: nothing comes from outside, and nothing leaves. What runs on it runs on.
    pub fn off(node: &str) -> Self {
        let rules = "chain in { type filter hook prerouting priority -400; iifname \"eth0\" drop; }; \
                     chain out { type filter hook postrouting priority 400; oifname \"eth0\" drop; };";
        Self::by(&[node.to_owned()], rules)
    }

    /// Loses so many of a hundred packets between pods, wherever they are.
    pub fn loses(percent: u8) -> Self {
        let nodes: Vec<String> = nodes().iter().map(|node| name(node).to_owned()).collect();
        // Where they come from a pod, so that each is counted once.
        let rules = format!(
            "chain in {{ type filter hook prerouting priority -400; iifname != \"eth0\" ip saddr 10.244.0.0/16 \
             ip daddr 10.244.0.0/16 numgen random mod 100 < {percent} drop; }};"
        );
        Self::by(&nodes, &rules)
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        for node in &self.nodes {
            on_node(node, &["nft", "delete", "table", "inet", "broken"]).run();
        }
    }
}

/// All nodes, by name.
pub fn nodes() -> Vec<Value> {
    Space::at("default").list("Node", "")
}

/// The address of a node for others.
pub fn address_of(node: &Value) -> String {
    let all = node["status"]["addresses"].as_array().cloned().unwrap_or_default();
    let internal = all.iter().find(|one| one["type"] == "InternalIP");
    internal.and_then(|one| one["address"].as_str()).unwrap_or_default().to_owned()
}

/// The node that the control plane is on, and the others.
pub fn control_plane_and_workers() -> (String, Vec<String>) {
    let (first, rest): (Vec<Value>, Vec<Value>) = nodes()
        .into_iter()
        .partition(|node| node["metadata"]["labels"].get("node-role.kubernetes.io/control-plane").is_some());
    (name(&first[0]).to_owned(), rest.iter().map(|node| name(node).to_owned()).collect())
}

/// The control plane's node takes pods like any other.
pub struct Opened(String);

impl Opened {
    /// Until this is dropped.
    pub fn control_plane() -> Self {
        let (node, _) = control_plane_and_workers();
        kubectl(&format!("taint node {node} node-role.kubernetes.io/control-plane:NoSchedule-")).run();
        Self(node)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let taint = "node-role.kubernetes.io/control-plane:NoSchedule";
        kubectl(&format!("taint node {} {taint} --overwrite", self.0)).run();
    }
}

/// A node that takes no new pods.
pub struct Cordoned(String);

impl Cordoned {
    /// Until this is dropped; what runs there runs on.
    pub fn off(node: &str) -> Self {
        let cordoned = Self(node.to_owned());
        kubectl(&format!("cordon {node}")).ok();
        cordoned
    }

    /// Also moves away what runs there, as people do.
    pub fn drained(node: &str) -> Self {
        let cordoned = Self(node.to_owned());
        let how = "--ignore-daemonsets --delete-emptydir-data --timeout=170s";
        kubectl(&format!("drain {node} {how}")).ok();
        cordoned
    }
}

impl Drop for Cordoned {
    fn drop(&mut self) {
        kubectl(&format!("uncordon {}", self.0)).run();
    }
}

/// A label on nodes.
pub struct Labelled {
    label: &'static str,
    nodes: Vec<String>,
}

impl Labelled {
    /// `label` is `yes` on these, until this is dropped.
    pub fn with(label: &'static str, nodes: &[&str]) -> Self {
        let labelled = Self { label, nodes: nodes.iter().map(|node| (*node).to_owned()).collect() };
        for node in nodes {
            kubectl(&format!("label node {node} {label}=yes --overwrite")).ok();
        }
        labelled
    }
}

impl Drop for Labelled {
    fn drop(&mut self) {
        for node in &self.nodes {
            kubectl(&format!("label node {node} {}-", self.label)).run();
        }
    }
}

/// Waits until Kubernetes calls all nodes Ready.
pub fn nodes_ready() {
    await_within(Duration::from_mins(3), "all nodes are Ready", || {
        nodes().iter().all(is_ready).then_some(())
    });
}

/// SIGKILL for the media pod's own process in a pod, from its node, as a crash would be. Kubernetes starts it again. Says when.
pub fn kill_bus(pod: &Value) -> Instant {
    let (node, uid) = (pod["spec"]["nodeName"].as_str().unwrap_or_default(), crate::uid(pod));
    let script = format!(
        "for f in $(grep -als 'POD_UID={uid}' /proc/[0-9]*/environ); do p=${{f%/environ}}; \
         grep -qa '^[^ ]*media-pod' $p/cmdline && date +%s%N && kill -9 ${{p#/proc/}}; done"
    );
    let said = on_node(node, &["sh", "-c", &script]).run();
    let (now, clock) = (Instant::now(), SystemTime::now().duration_since(SystemTime::UNIX_EPOCH));
    let at: u64 = said
        .text()
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("{} on {node}: {}{}", name(pod), said.text(), said.err));
    // Nodes of a local cluster have this machine's clock.
    let ago = clock.unwrap_or_default().saturating_sub(Duration::from_nanos(at));
    now.checked_sub(ago).unwrap_or(now)
}

/// A merge patch that sets an annotation.
pub fn annotation(key: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {key: value}}})
}

/// Waits until a pod is there no more.
pub fn pod_is_gone(space: &Space, pod: &Value) {
    await_condition(&format!("pod {} is gone", name(pod)), || {
        space.find("Pod", name(pod)).is_none_or(|now| crate::uid(&now) != crate::uid(pod)).then_some(())
    });
}

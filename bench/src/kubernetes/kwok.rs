//! Nodes that are none: kwok says of each pod there that it runs.

use std::{
    fs::File,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use kube::Client;
use serde_json::{Value, json};

use super::api::Space;

const LABEL: &str = "bench.millrace.dev/fake";
const STAGES: &str = include_str!("stages.yaml");
const PATIENCE: Duration = Duration::from_mins(5);

/// kwok, while it runs.
pub struct Kwok(Child);

impl Drop for Kwok {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it for so many nodes of its own.
pub async fn start(client: &Client, nodes: usize) -> Result<Kwok> {
    let stages = std::env::temp_dir().join("bench-kwok.yaml");
    std::fs::write(&stages, STAGES)?;
    let log = File::create(std::env::temp_dir().join("bench-kwok.log"))?;
    let parent = std::process::id().to_string();
    let child = Command::new(std::env::current_exe()?)
        .args(["launch", "--parent", &parent, "--", "e2e/cluster/tool", "kwok"])
        .arg(format!("--manage-nodes-with-label-selector={LABEL}=true"))
        // Else the node controller takes the nodes for dead after a minute.
        .args(["--v=WARN", "--node-lease-duration-seconds=40"])
        .arg("--config")
        .arg(stages)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let kwok = Kwok(child.context("starting e2e/cluster/tool: run this at the repository's root")?);
    let all = Space::at(client, "default");
    for number in 0..nodes {
        all.apply(&node(number)).await?;
    }
    all.until(PATIENCE, "the fake nodes are Ready (see bench-kwok.log)", || async {
        let mut ready = 0;
        all.each("Node", |node| {
            let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
            let mut conditions = conditions.into_iter().flatten();
            let is = conditions.any(|it| it["type"] == "Ready" && it["status"] == "True");
            ready +=
                usize::from(is && node.pointer("/metadata/labels").is_some_and(|it| it[LABEL] == "true"));
        })
        .await?;
        Ok((ready >= nodes).then_some(()))
    })
    .await?;
    Ok(kwok)
}

/// Removes the fake nodes.
pub async fn remove(client: &Client) -> Result<()> {
    let all = Space::at(client, "default");
    for name in all.names("Node", &format!("{LABEL}=true")).await? {
        all.delete("Node", &name).await?;
    }
    Ok(())
}

/// What a Cluster's pods must say to be put there.
pub fn servers() -> Value {
    json!({"nodeSelector": {LABEL: "true"}, "tolerations": [{"key": LABEL, "operator": "Exists", "effect": "NoSchedule"}]})
}

/// Without an address: there is nothing that could be routed to.
fn node(number: usize) -> Value {
    let room = json!({"cpu": "1000", "memory": "1Ti", "pods": "1000", "ephemeral-storage": "1Ti"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("bench-fake-{number}"), "labels": {
            LABEL: "true", "kubernetes.io/hostname": format!("bench-fake-{number}"), "kubernetes.io/os": "linux",
            // Else each gets a pod of every DaemonSet that tolerates everything.
            "type": "kwok"}},
        "spec": {"taints": [{"key": LABEL, "value": "true", "effect": "NoSchedule"}]},
        "status": {"capacity": room, "allocatable": room},
    })
}

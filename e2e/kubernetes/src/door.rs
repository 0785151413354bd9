//! Ports of single pods, for who is outside of the cluster.

use std::net::TcpStream;

use serde_json::{Value, json};

use crate::{Space, address_of, await_condition, control_plane_and_workers, name, nodes, uid};

/// The label that a Service of these selects its pod by.
const DOOR: &str = "millrace-e2e/door";

impl Space {
    /// `HOST:PORT` that leads to a port of this one pod: by a Service of the test's own. Somebody listens there.
    pub fn door(&self, pod: &Value, port: u16) -> String {
        let mark = uid(pod).split('-').next().unwrap_or_default();
        self.patch("Pod", name(pod), &json!({"metadata": {"labels": {DOOR: mark}}}));
        let service = self.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("door-{mark}-{port}")},
            "spec": {"type": "NodePort", "selector": {DOOR: mark}, "ports": [{"port": port}]}
        }));
        let (first, _) = control_plane_and_workers();
        let node = nodes().into_iter().find(|node| name(node) == first).unwrap_or_default();
        let door = format!("{}:{}", address_of(&node), service["spec"]["ports"][0]["nodePort"]);
        await_condition(&format!("somebody listens at {door}"), || TcpStream::connect(&door).ok().map(drop));
        door
    }
}

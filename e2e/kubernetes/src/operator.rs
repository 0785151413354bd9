//! The operator of `manifests/`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Space, await_condition, is_ready, kubectl};

/// The namespace it is installed in.
pub const SYSTEM: &str = "millrace-system";

/// The labels of its pods.
pub const OPERATOR: &str = "app.kubernetes.io/name=millrace,app.kubernetes.io/component=operator";

/// The operator of `manifests/`.
#[derive(Clone, Copy, Debug)]
pub struct Operator;

impl Operator {
    /// The namespace that it runs in.
    pub fn space() -> Space {
        Space::at(SYSTEM)
    }

    /// Its pods that are not about to end.
    pub fn pods(self) -> Vec<Value> {
        let mut all = Self::space().list("Pod", OPERATOR);
        all.retain(|pod| pod["metadata"].get("deletionTimestamp").is_none());
        all
    }

    /// The pod that leads, by its Lease: only if that pod is there.
    pub fn leader(self) -> Option<String> {
        let lease = Self::space().find("Lease", "millrace-operator")?;
        let holder = lease["spec"]["holderIdentity"].as_str()?.to_owned();
        self.pods().iter().map(|pod| crate::name(pod).to_owned()).find(|pod| holder.starts_with(pod.as_str()))
    }

    /// Waits until all its replicas are Ready, and one leads.
    pub fn ready(self) {
        kubectl(&format!("-n {SYSTEM} rollout status deployment/millrace-operator --timeout=170s")).ok();
        await_condition("one of the operator's pods leads", || self.leader());
    }

    /// Runs that many replicas, and waits until they are there.
    pub fn scale(self, replicas: usize) {
        Self::space().patch("Deployment", "millrace-operator", &json!({"spec": {"replicas": replicas}}));
        await_condition(&format!("{replicas} replicas of the operator are there"), || {
            let pods = Self::space().list("Pod", OPERATOR);
            (pods.len() == replicas && pods.iter().all(is_ready)).then_some(())
        });
        if replicas > 0 {
            self.ready();
        }
    }

    /// What a path of the HTTP server of one of its pods answers, through the API server.
    pub fn get(self, pod: &str, path: &str) -> String {
        Self::space().http(pod, 8080, path)
    }

    /// All metrics of one of its pods: by name and labels as they are written.
    pub fn metrics(self, pod: &str) -> BTreeMap<String, f64> {
        Self::space().metrics(pod, 8080)
    }
}

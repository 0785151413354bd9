//! The operator of `manifests/`.

use std::collections::BTreeMap;

use http::Request;
use kube::client::Body;
use serde_json::{Value, json};

use crate::{Space, await_condition, block_on, cluster::client_that_asks_once, is_ready, kubectl};

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
        // Not by kubectl, which does not show the body of an answer that is no 200.
        let path = format!("/api/v1/namespaces/{SYSTEM}/pods/{pod}:8080/proxy{path}");
        let client = client_that_asks_once();
        let ask = async {
            let request = Request::get(path).body(Body::empty()).ok()?;
            let answer = client.send(request).await.ok()?;
            answer.into_body().collect_bytes().await.ok()
        };
        String::from_utf8_lossy(&block_on(ask).unwrap_or_default()).into_owned()
    }

    /// All metrics of one of its pods: by name and labels as they are written.
    pub fn metrics(self, pod: &str) -> BTreeMap<String, f64> {
        let text = self.get(pod, "/metrics");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(k, v)| Some((k.to_owned(), v.parse().ok()?)))
            .collect()
    }
}

//! A pod of the same shape as a media pod, made without an operator: what Kubernetes itself takes.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    runtime::watcher::{Config, Event, watcher},
};
use serde_json::{Map, Value, json};
use tokio::time;

use super::api::Space;

const NAME: &str = "bench-bare";
const PATIENCE: Duration = Duration::from_mins(3);
/// Arguments that tie a media pod to the operator; each has a value.
const OF_THE_OPERATOR: [&str; 4] = ["--operator", "--operator-ca", "--operator-token", "--slot"];
/// Data of a slot that only its pods have.
const OF_A_SLOT: [&str; 3] = ["revision", "token", "operator.crt"];

/// A pod without a name.
pub struct Bare {
    spec: Value,
}

/// One like that media pod, with a copy of its configuration.
pub async fn like(space: &Space, pod: &str) -> Result<Bare> {
    let model = space.find("Pod", pod).await?.with_context(|| format!("the pod {pod} is gone"))?;
    let slot = model.pointer("/metadata/labels/millrace.dev~1slot").and_then(Value::as_str);
    let slot = slot.with_context(|| format!("the pod {pod} has no slot"))?;
    for kind in ["ConfigMap", "Secret"] {
        let there = space.find(kind, slot).await?.with_context(|| format!("there is no {kind} {slot}"))?;
        let mut data = there.get("data").cloned().unwrap_or_else(|| json!({}));
        if let Some(data) = data.as_object_mut() {
            data.retain(|name, _| !OF_A_SLOT.contains(&name.as_str()));
        }
        let copy = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": NAME}, "data": data});
        space.apply(&copy).await?;
    }
    Ok(Bare { spec: spec_like(model.get("spec").unwrap_or(&Value::Null)) })
}

fn spec_like(model: &Value) -> Value {
    let mut spec = model.clone();
    if let Some(spec) = spec.as_object_mut() {
        for field in ["nodeName", "serviceAccount", "serviceAccountName", "priority", "preemptionPolicy"] {
            spec.remove(field);
        }
        let renamed = |volume: &mut Map<String, Value>| {
            for (source, field) in [("configMap", "name"), ("secret", "secretName")] {
                if let Some(source) = volume.get_mut(source).and_then(Value::as_object_mut) {
                    source.insert(field.to_owned(), NAME.into());
                }
            }
        };
        let each = |list: Option<&mut Value>, change: &dyn Fn(&mut Map<String, Value>)| {
            let all = list.and_then(Value::as_array_mut).into_iter().flatten();
            all.filter_map(Value::as_object_mut).for_each(change);
        };
        each(spec.get_mut("volumes"), &renamed);
        each(spec.get_mut("containers"), &|container| {
            let args = container.get("args").and_then(Value::as_array).cloned().unwrap_or_default();
            container.insert("args".to_owned(), alone(&args).into());
            container.remove("env");
        });
        // The media pods are spread by a label that this one does not have.
        spec.remove("topologySpreadConstraints");
    }
    spec
}

/// Arguments without those that tie it to the operator.
fn alone(args: &[Value]) -> Vec<Value> {
    let mut kept = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg.as_str().is_some_and(|arg| OF_THE_OPERATOR.contains(&arg)) {
            args.next();
        } else {
            kept.push(arg.clone());
        }
    }
    kept
}

impl Bare {
    /// Creates one, and deletes it: the seconds until it was Ready.
    pub async fn round(&self, space: &Space, number: usize) -> Result<f64> {
        let (name, label) = (format!("{NAME}-{number}"), format!("bench={NAME}-{number}"));
        let metadata = json!({"name": name, "labels": {"bench": name}});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": self.spec});
        let began = Instant::now();
        let create = async { space.apply(&pod).await };
        let ((), (_, ready)) = tokio::try_join!(create, watch_ready(space.pods(), &label, PATIENCE))?;
        space.delete("Pod", &name).await?;
        space
            .until(PATIENCE, "the bare pod ends", || async {
                Ok(space.find("Pod", &name).await?.is_none().then_some(()))
            })
            .await?;
        Ok((ready - began).as_secs_f64())
    }
}

/// When the one pod with this label was seen first, and when it was Ready.
pub async fn watch_ready(pods: Api<Pod>, label: &str, patience: Duration) -> Result<(Instant, Instant)> {
    let mut events = pin!(watcher(pods, Config::default().labels(label)));
    let look = async {
        let mut made = None;
        while let Some(event) = events.next().await {
            if let Event::Apply(pod) | Event::InitApply(pod) = event? {
                let now = Instant::now();
                let made = *made.get_or_insert(now);
                if is_ready(&pod) {
                    return Ok((made, now));
                }
            }
        }
        bail!("the watch has ended")
    };
    time::timeout(patience, look).await.with_context(|| format!("no pod with {label} is Ready in time"))?
}

/// Whether Kubernetes calls it Ready.
pub fn is_ready(pod: &Pod) -> bool {
    let all = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    all.into_iter().any(|it| it.type_ == "Ready" && it.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_pod_runs_the_same_and_knows_no_operator() {
        let model = json!({
            "nodeName": "n", "volumes": [{"name": "config", "configMap": {"name": "slot"}}],
            "containers": [{"name": "bus", "args": ["run", "-f", "a", "--operator", "h:1", "--slot", "s", "--internal", "i"]}],
        });
        let spec = spec_like(&model);
        assert_eq!(spec["containers"][0]["args"], json!(["run", "-f", "a", "--internal", "i"]));
        assert_eq!(spec["volumes"][0]["configMap"]["name"], NAME);
        assert!(spec.get("nodeName").is_none());
    }
}

//! The operator that is installed: out of the way while another is measured.

use std::time::Duration;

use anyhow::Result;
use kube::Client;
use serde_json::{Value, json};

use super::api::Space;

const NAMESPACE: &str = "millrace-system";
const NAME: &str = "millrace-operator";
/// Says on the Deployment how many replicas it had.
const NOTE: &str = "bench.millrace.dev/replicas";
const PATIENCE: Duration = Duration::from_mins(2);

/// Stops it, if it runs. It would see the same objects.
pub async fn pause(client: &Client) -> Result<()> {
    let space = Space::at(client, NAMESPACE);
    let Some(there) = space.find("Deployment", NAME).await? else { return Ok(()) };
    let replicas = there.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
    if replicas > 0 {
        let note =
            json!({"metadata": {"annotations": {NOTE: replicas.to_string()}}, "spec": {"replicas": 0}});
        space.merge("Deployment", NAME, &note).await?;
    }
    let gone = async || {
        let there = space.find("Deployment", NAME).await?;
        let left = there.as_ref().and_then(|it| it.pointer("/status/replicas")?.as_i64());
        Ok((left.unwrap_or(0) == 0).then_some(()))
    };
    space.until(PATIENCE, "the operator that is installed stops", gone).await
}

/// Starts it again, if [`pause`] has stopped it.
pub async fn resume(client: &Client) -> Result<()> {
    let space = Space::at(client, NAMESPACE);
    let Some(there) = space.find("Deployment", NAME).await? else { return Ok(()) };
    let noted = there.pointer(&format!("/metadata/annotations/{}", NOTE.replace('/', "~1")));
    let Some(replicas) = noted.and_then(|it| it.as_str()?.parse::<i64>().ok()) else { return Ok(()) };
    let change = json!({"metadata": {"annotations": {NOTE: null}}, "spec": {"replicas": replicas}});
    space.merge("Deployment", NAME, &change).await
}

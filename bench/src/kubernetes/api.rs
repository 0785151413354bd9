//! The API server: objects as JSON.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Config,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::time;

const KINDS: [(&str, &str, &str, &str, bool); 11] = [
    ("", "v1", "Namespace", "namespaces", false),
    ("", "v1", "Node", "nodes", false),
    ("", "v1", "Pod", "pods", true),
    ("", "v1", "Service", "services", true),
    ("", "v1", "Secret", "secrets", true),
    ("", "v1", "ConfigMap", "configmaps", true),
    ("apps", "v1", "Deployment", "deployments", true),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("millrace.dev", "v1alpha1", "Cluster", "clusters", true),
    ("millrace.dev", "v1alpha1", "Feed", "feeds", true),
    ("millrace.dev", "v1alpha1", "Stream", "streams", true),
];

/// A namespace, as the bench works in it.
#[derive(Clone)]
pub struct Space {
    client: Client,
    name: String,
}

/// A client of the cluster of `KUBECONFIG`.
pub async fn client() -> Result<Client> {
    let config = Config::infer().await.context("no cluster: `. e2e/cluster/env` or set KUBECONFIG")?;
    Ok(Client::try_from(config)?)
}

impl Space {
    /// A namespace that is there, or will be.
    pub fn at(client: &Client, name: &str) -> Self {
        Self { client: client.clone(), name: name.to_owned() }
    }

    /// Makes it, empty: whatever has its name is ended before.
    pub async fn create(client: &Client, name: &str) -> Result<Self> {
        let space = Self::at(client, name);
        space.delete("Namespace", name).await?;
        space.gone(Duration::from_mins(10)).await?;
        space
            .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {
            "pod-security.kubernetes.io/enforce": "restricted"}}}))
            .await?;
        Ok(space)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its pods.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    fn api(&self, kind: &str) -> Result<Api<DynamicObject>> {
        let known = KINDS.iter().find(|(_, _, it, _, _)| *it == kind);
        let (group, version, kind, plural, namespaced) = *known.with_context(|| format!("no kind {kind}"))?;
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        Ok(if namespaced {
            Api::namespaced_with(self.client.clone(), &self.name, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        })
    }

    /// Applies an object on the server side.
    pub async fn apply(&self, object: &Value) -> Result<()> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let parameters = PatchParams::apply("millrace-bench").force();
        let patched = self.api(kind)?.patch(name, &parameters, &Patch::Apply(object)).await;
        patched.with_context(|| format!("applying {kind} {name}"))?;
        Ok(())
    }

    /// Changes some fields.
    pub async fn merge(&self, kind: &str, name: &str, change: &Value) -> Result<()> {
        self.api(kind)?.patch(name, &PatchParams::default(), &Patch::Merge(change)).await?;
        Ok(())
    }

    /// An object, if it is there.
    pub async fn find(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        Ok(self.api(kind)?.get_opt(name).await?.map(serde_json::to_value).transpose()?)
    }

    /// How many objects of a kind there are, with the least effort.
    pub async fn count(&self, kind: &str) -> Result<usize> {
        let list = self.api(kind)?.list_metadata(&ListParams::default().limit(1)).await?;
        let rest = list.metadata.remaining_item_count.unwrap_or(0).max(0);
        Ok(list.items.len() + rest as usize)
    }

    /// All objects of a kind, looked at one after another; they are fetched in pieces.
    pub async fn each(&self, kind: &str, mut look: impl FnMut(&Value)) -> Result<()> {
        let (api, mut parameters) = (self.api(kind)?, ListParams::default().limit(500));
        loop {
            let list = api.list(&parameters).await?;
            for object in list.items {
                look(&serde_json::to_value(object)?);
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(()),
            }
        }
    }

    /// Deletes an object, if it is there.
    pub async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        match self.api(kind)?.delete(name, &DeleteParams::background()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error).with_context(|| format!("deleting {kind} {name}")),
        }
    }

    /// Names of all objects with a label.
    pub async fn names(&self, kind: &str, selector: &str) -> Result<Vec<String>> {
        let list = self.api(kind)?.list_metadata(&ListParams::default().labels(selector)).await?;
        Ok(list.items.iter().map(kube::ResourceExt::name_any).collect())
    }

    /// Waits until the namespace is no more.
    pub async fn gone(&self, patience: Duration) -> Result<()> {
        let name = self.name.clone();
        self.until(patience, "its namespace ends", || async {
            Ok(self.find("Namespace", &name).await?.is_none().then_some(()))
        })
        .await
    }

    /// Looks again and again until there is something to be seen.
    pub async fn until<T>(
        &self,
        patience: Duration,
        what: &str,
        mut look: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let began = Instant::now();
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            if began.elapsed() > patience {
                bail!("{}: not within {} s: {what}", self.name, patience.as_secs());
            }
            time::sleep(Duration::from_millis(200)).await;
        }
    }
}

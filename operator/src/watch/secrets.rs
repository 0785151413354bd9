//! Secrets that people's resources name. Of all Secrets only the metadata are watched; the few that are named are
//! fetched, each once for each of its versions.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::watcher::{Config, Event},
};
use millrace_crds::FinalSecret;
use tokio::time;

use super::{health::Health, reflect::follow, shelf::Scope, stores::Touch};
use crate::key::ClusterKey;

const FETCH: Duration = Duration::from_secs(10);

type Name = (String, String);

/// Why a Secret that is there is not known.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("the Secret {name} cannot be read: {error}")]
    Get {
        /// Its name.
        name: String,
        /// Why.
        error: Box<kube::Error>,
    },
    /// It cannot be read in time.
    #[error("the Secret {name} cannot be read: no answer in time")]
    Late {
        /// Its name.
        name: String,
    },
}

/// The Secrets.
pub struct Secrets {
    client: Client,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Versions by namespace and name.
    versions: HashMap<Name, String>,
    listing: HashMap<Scope, HashMap<Name, String>>,
    listed: HashSet<Scope>,
    fetched: HashMap<Name, (String, FinalSecret)>,
    wanted: HashMap<ClusterKey, Arc<BTreeSet<String>>>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// None are known yet.
    pub fn new(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    /// Follows a scope for ever.
    pub async fn follow(&self, scope: Scope, health: &Health, touch: Touch) {
        let api: Api<PartialObjectMeta<Secret>> = match &scope {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let config = Config::default().labels("app.kubernetes.io/managed-by!=millrace-operator");
        follow(api, config, "secrets (metadata)", &scope, health, |event| {
            for cluster in self.lock().take(&scope, event) {
                touch(cluster);
            }
        })
        .await;
    }

    /// Whether these scopes were listed.
    pub fn is_listed(&self, scopes: &[Scope]) -> bool {
        let known = self.lock();
        scopes.iter().all(|scope| known.listed.contains(scope))
    }

    /// Those of these Secrets that are there. From now on the Cluster is looked at when one of them changes.
    ///
    /// # Errors
    /// Where one is there but cannot be read now.
    pub async fn named(
        &self,
        cluster: &ClusterKey,
        names: BTreeSet<String>,
    ) -> Result<BTreeMap<String, FinalSecret>, SecretError> {
        let names = Arc::new(names);
        self.lock().want(cluster, &names);
        let mut all = BTreeMap::new();
        for name in names.iter() {
            let key = (cluster.namespace.clone(), name.clone());
            let (version, fetched) = {
                let known = self.lock();
                (known.versions.get(&key).cloned(), known.fetched.get(&key).cloned())
            };
            match (version, fetched) {
                (None, _) => {}
                (Some(version), Some((of, secret))) if of == version => {
                    all.insert(name.clone(), secret);
                }
                (Some(_), _) => {
                    if let Some(secret) = self.fetch(&key).await? {
                        all.insert(name.clone(), secret);
                    }
                }
            }
        }
        Ok(all)
    }

    async fn fetch(&self, key: &Name) -> Result<Option<FinalSecret>, SecretError> {
        let name = || key.1.clone();
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &key.0);
        let answer = time::timeout(FETCH, api.get_opt(&key.1)).await;
        let answer = answer.map_err(|_| SecretError::Late { name: name() })?;
        let answer = answer.map_err(|error| SecretError::Get { name: name(), error: Box::new(error) })?;
        let Some(secret) = answer else { return Ok(None) };
        let version = secret.resource_version().unwrap_or_default();
        let secret = FinalSecret {
            name: name(),
            kind: secret.type_.unwrap_or_else(|| "Opaque".to_owned()),
            data: secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect(),
        };
        self.lock().fetched.insert(key.clone(), (version, secret.clone()));
        Ok(Some(secret))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn take(&mut self, scope: &Scope, event: Event<PartialObjectMeta<Secret>>) -> BTreeSet<ClusterKey> {
        let mut changed = Vec::new();
        match event {
            Event::Init => drop(self.listing.insert(scope.clone(), HashMap::new())),
            Event::InitApply(secret) => {
                let (name, version) = named(&secret);
                self.listing.entry(scope.clone()).or_default().insert(name, version);
            }
            Event::InitDone => {
                let listed = self.listing.remove(scope).unwrap_or_default();
                let covers = |name: &Name| scope.as_ref().is_none_or(|scope| *scope == name.0);
                changed.extend(
                    self.versions.keys().filter(|name| covers(name) && !listed.contains_key(*name)).cloned(),
                );
                self.versions.retain(|name, _| !covers(name) || listed.contains_key(name));
                for (name, version) in listed {
                    if self.versions.insert(name.clone(), version.clone()) != Some(version) {
                        changed.push(name);
                    }
                }
                self.listed.insert(scope.clone());
            }
            Event::Apply(secret) => {
                let (name, version) = named(&secret);
                self.versions.insert(name.clone(), version);
                changed.push(name);
            }
            Event::Delete(secret) => {
                let (name, _) = named(&secret);
                self.versions.remove(&name);
                changed.push(name);
            }
        }
        let wanted = &self.wanted;
        let who = |name: &Name| {
            let wants = wanted
                .iter()
                .filter(|(cluster, names)| cluster.namespace == name.0 && names.contains(&name.1));
            wants.map(|(cluster, _)| cluster.clone()).collect::<Vec<_>>()
        };
        changed.iter().flat_map(who).collect()
    }

    fn want(&mut self, cluster: &ClusterKey, names: &Arc<BTreeSet<String>>) {
        let before = if names.is_empty() {
            self.wanted.remove(cluster)
        } else {
            self.wanted.insert(cluster.clone(), Arc::clone(names))
        };
        if before.is_none_or(|before| before.is_subset(names)) {
            return;
        }
        // What nobody wants any more is not kept.
        let wanted = &self.wanted;
        self.fetched.retain(|name, _| {
            wanted.iter().any(|(cluster, names)| cluster.namespace == name.0 && names.contains(&name.1))
        });
    }
}

fn named(secret: &PartialObjectMeta<Secret>) -> (Name, String) {
    (
        (secret.namespace().unwrap_or_default(), secret.name_any()),
        secret.resource_version().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(name: &str, version: &str) -> PartialObjectMeta<Secret> {
        let metadata = json!({"name": name, "namespace": "ns", "resourceVersion": version});
        serde_json::from_value(
            json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata}),
        )
        .unwrap()
    }

    #[test]
    fn only_clusters_that_name_a_secret_look_when_it_changes_also_before_it_is_there() {
        let mut known = Known::default();
        let cluster = ClusterKey::new("ns", "one");
        known.want(&cluster, &Arc::new(BTreeSet::from(["camera".to_owned()])));
        known.want(&ClusterKey::new("ns", "two"), &Arc::new(BTreeSet::from(["other".to_owned()])));
        known.want(&ClusterKey::new("elsewhere", "one"), &Arc::new(BTreeSet::from(["camera".to_owned()])));
        for event in [Event::Apply(secret("camera", "1")), Event::Delete(secret("camera", "2"))] {
            assert_eq!(known.take(&None, event), BTreeSet::from([cluster.clone()]));
        }
        assert!(known.take(&None, Event::Apply(secret("nobodys", "3"))).is_empty());
    }

    #[test]
    fn a_list_tells_of_what_is_new_changed_and_gone() {
        let mut known = Known::default();
        let names = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        known.want(&ClusterKey::new("ns", "one"), &Arc::new(names));
        let mut list = |secrets: &[(&str, &str)]| {
            known.take(&None, Event::Init);
            for (name, version) in secrets {
                known.take(&None, Event::InitApply(secret(name, version)));
            }
            known.take(&None, Event::InitDone).len()
        };
        assert_eq!(list(&[("a", "1")]), 1);
        assert_eq!(list(&[("a", "1")]), 0);
        assert_eq!(list(&[("a", "2")]), 1);
        assert_eq!(list(&[]), 1);
    }
}

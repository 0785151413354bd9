//! Objects of one kind, as they were last seen, by name and by Cluster.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{ResourceExt as _, runtime::watcher::Event};
use tokio::{sync::Notify, time};

use super::guarded::{Guarded, Unreadable, Watched};
use crate::key::ClusterKey;

/// What one watch covers: a namespace, or all of them.
pub type Scope = Option<String>;

/// All objects of a kind.
#[derive(Debug)]
pub struct Shelf<K> {
    inner: Mutex<Inner<K>>,
    moved: Notify,
}

#[derive(Debug)]
struct Inner<K> {
    /// By namespace and name.
    objects: BTreeMap<(String, String), Item<K>>,
    /// Names by Cluster.
    clusters: HashMap<ClusterKey, BTreeSet<String>>,
    scopes: HashMap<Scope, Progress<K>>,
}

/// An object.
#[derive(Debug)]
pub struct Item<K> {
    /// The object, or why it cannot be read.
    pub object: Result<Arc<K>, Arc<Unreadable>>,
    /// The Secrets that it names.
    pub secrets: Arc<[String]>,
    cluster: Option<String>,
    /// The API server's count of changes. Those of one kind can be compared.
    version: u64,
}

impl<K> Clone for Item<K> {
    fn clone(&self) -> Self {
        Self {
            object: self.object.clone(),
            secrets: Arc::clone(&self.secrets),
            cluster: self.cluster.clone(),
            version: self.version,
        }
    }
}

impl<K> Item<K> {
    /// The name of the Cluster that it belongs to.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }
}

#[derive(Debug)]
struct Progress<K> {
    /// Everything up to here was seen.
    seen: u64,
    listed: bool,
    list: BTreeMap<(String, String), Item<K>>,
}

impl<K> Default for Progress<K> {
    fn default() -> Self {
        Self { seen: 0, listed: false, list: BTreeMap::new() }
    }
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        let inner = Inner { objects: BTreeMap::new(), clusters: HashMap::new(), scopes: HashMap::new() };
        Self { inner: Mutex::new(inner), moved: Notify::new() }
    }
}

impl<K: Watched> Shelf<K> {
    /// Takes what a watch said; the Clusters that it may matter to.
    pub fn take(&self, scope: &Scope, event: Event<Guarded<K>>) -> BTreeSet<ClusterKey> {
        let mut touched = BTreeSet::new();
        {
            let mut inner = self.lock();
            match event {
                Event::Init => inner.progress(scope).list.clear(),
                Event::InitApply(object) => {
                    let (key, item) = item(object);
                    inner.progress(scope).list.insert(key, item);
                }
                Event::InitDone => inner.replace(scope, &mut touched),
                Event::Apply(object) => {
                    let (key, item) = item(object);
                    let progress = inner.progress(scope);
                    progress.seen = progress.seen.max(item.version);
                    inner.put(key, item, &mut touched);
                }
                Event::Delete(object) => {
                    let (key, item) = item(object);
                    let progress = inner.progress(scope);
                    progress.seen = progress.seen.max(item.version);
                    inner.remove(&key, &mut touched);
                }
            }
        }
        self.moved.notify_waiters();
        touched
    }

    /// Whether the watches of all these have been through their first list.
    pub fn is_listed(&self, scopes: &[Scope]) -> bool {
        let inner = self.lock();
        scopes.iter().all(|scope| inner.scopes.get(scope).is_some_and(|progress| progress.listed))
    }

    /// What belongs to a Cluster, by name.
    pub fn of(&self, cluster: &ClusterKey) -> Vec<Item<K>> {
        let inner = self.lock();
        let names = inner.clusters.get(cluster).into_iter().flatten();
        names
            .filter_map(|name| inner.objects.get(&(cluster.namespace.clone(), name.clone())))
            .cloned()
            .collect()
    }

    /// One of them.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Item<K>> {
        self.lock().objects.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All Clusters that something belongs to.
    pub fn clusters(&self) -> Vec<ClusterKey> {
        self.lock().clusters.keys().cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until the watch has come to `version` in a namespace; whether it has within `limit`.
    pub async fn reaches(&self, namespace: &str, version: u64, limit: Duration) -> bool {
        let deadline = time::Instant::now() + limit;
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.seen(namespace) >= version {
                return true;
            }
            if time::timeout_at(deadline, moved).await.is_err() {
                return self.seen(namespace) >= version;
            }
        }
    }

    /// Waits until an object is gone, or is seen to go; whether it is within `limit`.
    pub async fn leaves(&self, namespace: &str, name: &str, uid: &str, limit: Duration) -> bool {
        let there = || {
            let item = self.get(namespace, name);
            let object = item.and_then(|item| item.object.ok());
            object.is_some_and(|it| {
                it.meta().uid.as_deref() == Some(uid) && it.meta().deletion_timestamp.is_none()
            })
        };
        let deadline = time::Instant::now() + limit;
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if !there() {
                return true;
            }
            if time::timeout_at(deadline, moved).await.is_err() {
                return !there();
            }
        }
    }

    fn seen(&self, namespace: &str) -> u64 {
        let inner = self.lock();
        let progress = inner.scopes.get(&Some(namespace.to_owned())).or_else(|| inner.scopes.get(&None));
        progress.map_or(0, |progress| progress.seen)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Inner<K> {
    fn progress(&mut self, scope: &Scope) -> &mut Progress<K> {
        self.scopes.entry(scope.clone()).or_default()
    }

    /// A list is complete: it is all there is in its scope.
    fn replace(&mut self, scope: &Scope, touched: &mut BTreeSet<ClusterKey>) {
        let progress = self.progress(scope);
        let list = std::mem::take(&mut progress.list);
        let newest = list.values().map(|item| item.version).max().unwrap_or_default();
        progress.seen = progress.seen.max(newest);
        progress.listed = true;
        let in_scope = |namespace: &String| scope.as_ref().is_none_or(|scope| scope == namespace);
        let gone: Vec<_> =
            self.objects.keys().filter(|key| in_scope(&key.0) && !list.contains_key(*key)).cloned().collect();
        for key in gone {
            self.remove(&key, touched);
        }
        for (key, item) in list {
            self.put(key, item, touched);
        }
    }

    fn put(&mut self, key: (String, String), item: Item<K>, touched: &mut BTreeSet<ClusterKey>) {
        if self.objects.get(&key).is_some_and(|old| old.version == item.version) {
            return;
        }
        self.remove(&key, touched);
        if let Some(cluster) = &item.cluster {
            let cluster = ClusterKey::new(&key.0, cluster);
            self.clusters.entry(cluster.clone()).or_default().insert(key.1.clone());
            touched.insert(cluster);
        }
        self.objects.insert(key, item);
    }

    fn remove(&mut self, key: &(String, String), touched: &mut BTreeSet<ClusterKey>) {
        let Some(cluster) = self.objects.remove(key).and_then(|old| old.cluster) else { return };
        let cluster = ClusterKey::new(&key.0, cluster);
        if let Some(names) = self.clusters.get_mut(&cluster) {
            names.remove(&key.1);
            if names.is_empty() {
                self.clusters.remove(&cluster);
            }
        }
        touched.insert(cluster);
    }
}

fn item<K: Watched>(guarded: Guarded<K>) -> ((String, String), Item<K>) {
    let key = (guarded.namespace().unwrap_or_default(), guarded.name_any());
    let version = version_of(guarded.resource_version().as_deref());
    let Guarded { object, cluster, secrets } = guarded;
    (key, Item { object: object.map(Arc::new).map_err(Arc::new), secrets, cluster, version })
}

/// A resource version as a number: since Kubernetes 1.35 that is promised, and it has always been so with etcd. What
/// is none counts as seen.
pub fn version_of(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use millrace_crds::kinds::Feed;
    use serde_json::json;

    use super::*;

    fn feed(name: &str, cluster: &str, version: u64) -> Guarded<Feed> {
        serde_json::from_value(json!({
            "apiVersion": "millrace.dev/v1alpha1", "kind": "Feed",
            "metadata": {"name": name, "namespace": "ns", "resourceVersion": version.to_string()},
            "spec": {"clusterRef": {"name": cluster}, "source": {"command": ["x"]}},
        }))
        .unwrap()
    }

    fn names(shelf: &Shelf<Feed>, cluster: &str) -> Vec<String> {
        let items = shelf.of(&ClusterKey::new("ns", cluster));
        items.iter().map(|item| item.object.as_ref().unwrap().name_any()).collect()
    }

    #[test]
    fn objects_are_found_by_their_cluster_also_after_they_moved() {
        let shelf = Shelf::default();
        shelf.take(&None, Event::Apply(feed("a", "one", 1)));
        shelf.take(&None, Event::Apply(feed("b", "one", 2)));
        let touched = shelf.take(&None, Event::Apply(feed("b", "two", 3)));
        assert_eq!(touched.len(), 2, "both Clusters are to look again");
        assert_eq!((names(&shelf, "one"), names(&shelf, "two")), (vec!["a".into()], vec!["b".into()]));
        shelf.take(&None, Event::Delete(feed("b", "two", 4)));
        assert!(names(&shelf, "two").is_empty());
        assert_eq!(shelf.clusters(), [ClusterKey::new("ns", "one")]);
    }

    #[test]
    fn a_list_removes_what_is_not_in_it_and_touches_only_what_changed() {
        let shelf = Shelf::default();
        let list = |feeds: Vec<Guarded<Feed>>| {
            shelf.take(&None, Event::Init);
            for feed in feeds {
                assert!(shelf.take(&None, Event::InitApply(feed)).is_empty());
            }
            shelf.take(&None, Event::InitDone)
        };
        list(vec![feed("a", "one", 1), feed("b", "two", 2)]);
        assert!(shelf.is_listed(&[None]) && !shelf.is_listed(&[Some("ns".to_owned())]));
        assert!(list(vec![feed("a", "one", 1), feed("b", "two", 2)]).is_empty());
        assert_eq!(list(vec![feed("a", "one", 1)]), [ClusterKey::new("ns", "two")].into());
        assert_eq!(shelf.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_version_goes_on_when_it_was_seen() {
        let shelf = Arc::new(Shelf::default());
        let waits = tokio::spawn({
            let shelf = Arc::clone(&shelf);
            async move { shelf.reaches("ns", 7, Duration::from_secs(5)).await }
        });
        tokio::task::yield_now().await;
        shelf.take(&None, Event::Apply(feed("a", "one", 6)));
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        shelf.take(&None, Event::Delete(feed("a", "one", 8)));
        assert!(waits.await.unwrap());
        assert!(!shelf.reaches("ns", 9, Duration::from_secs(5)).await);
    }
}

//! A namespace of a test's own.

use std::{
    collections::BTreeMap,
    net::TcpStream,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use http::Request;
use kube::{
    Api, Error,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    client::Body,
};
use serde_json::{Value, json};

use crate::{
    Address, Program, block_on, client, cluster::client_that_asks_once, dump, install, install_crds,
    is_ready, kinds, kubectl, turn, uid, wait,
};

/// A namespace that enforces the Pod Security Standard `restricted`.
pub struct Space {
    name: String,
}

/// Runs `test` in a namespace of its own, beside other tests, with the operator of `manifests/` running.
pub fn with_temp_namespace(title: &str, test: impl FnOnce(&Space)) {
    install();
    let _turn = turn::together();
    within(title, test);
}

/// As [`with_temp_namespace`], with the CRDs alone: whether there is an operator does not matter.
pub fn with_bare_namespace(title: &str, test: impl FnOnce(&Space)) {
    install_crds();
    within(title, test);
}

/// As [`with_temp_namespace`], while no other test runs: for those that stop or kill the operator.
pub fn with_temp_namespace_alone(title: &str, test: impl FnOnce(&Space)) {
    install();
    let _turn = turn::alone();
    within(title, test);
}

fn within(title: &str, test: impl FnOnce(&Space)) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let space = Space::create(&format!("e2e-{title}-{}-{count}", process::id()));
    let result = catch_unwind(AssertUnwindSafe(|| test(&space)));
    if result.is_err() {
        eprintln!("=== what is in namespace {}", space.name);
        dump::namespace(&space.name);
    }
    if std::env::var_os("MILLRACE_E2E_KEEP").is_none() || result.is_ok() {
        space.end();
    }
    if let Err(panic) = result {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        eprintln!("=== {title} failed: {}", said.unwrap_or_default());
        resume_unwind(panic);
    }
}

impl Space {
    /// Creates a namespace; whoever does ends it by [`Self::end`].
    pub fn create(name: &str) -> Self {
        let space = Self::at(name);
        space.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {
                "pod-security.kubernetes.io/enforce": "restricted", "millrace-e2e": "true"}}
        }));
        space
    }

    /// A namespace that is there.
    pub fn at(name: &str) -> Self {
        Self { name: name.into() }
    }

    /// Begins to delete the namespace and all that is in it.
    pub fn end(&self) {
        self.delete("Namespace", &self.name);
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let (resource, namespaced) = kinds::api(kind);
        if namespaced {
            Api::namespaced_with(client(), &self.name, &resource)
        } else {
            Api::all_with(client(), &resource)
        }
    }

    /// `kubectl` in this namespace.
    pub fn kubectl(&self, line: &str) -> Program {
        kubectl(&format!("-n {} {line}", self.name))
    }

    /// Applies an object on the server side.
    pub fn apply(&self, object: &Value) -> Value {
        self.try_apply(object).unwrap_or_else(|e| panic!("{object}: {e}"))
    }

    /// As [`Self::apply`], for several.
    pub fn apply_all(&self, objects: &[Value]) {
        for object in objects {
            self.apply(object);
        }
    }

    /// As [`Self::apply`], which may be refused.
    ///
    /// # Errors
    /// What the API server answers.
    pub fn try_apply(&self, object: &Value) -> Result<Value, Error> {
        self.applied(object, &PatchParams::apply("millrace-e2e").force())
    }

    /// As [`Self::try_apply`], and nothing is kept.
    ///
    /// # Errors
    /// What the API server answers.
    pub fn try_dry(&self, object: &Value) -> Result<Value, Error> {
        self.applied(object, &PatchParams { dry_run: true, ..PatchParams::apply("millrace-e2e").force() })
    }

    fn applied(&self, object: &Value, how: &PatchParams) -> Result<Value, Error> {
        let kind = object["kind"].as_str().unwrap_or_default();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        block_on(self.api(kind).patch(name, how, &Patch::Apply(object))).map(|done| json_of(&done))
    }

    /// Changes some fields (a JSON merge patch).
    pub fn patch(&self, kind: &str, name: &str, change: &Value) -> Value {
        let done = block_on(self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(change)));
        json_of(&done.unwrap_or_else(|e| panic!("{kind} {name} {change}: {e}")))
    }

    /// Deletes an object, if it is there.
    pub fn delete(&self, kind: &str, name: &str) {
        match block_on(self.api(kind).delete(name, &DeleteParams::default())) {
            Ok(_) => {}
            Err(Error::Api(status)) if status.code == 404 => {}
            Err(e) => panic!("delete {kind} {name}: {e}"),
        }
    }

    /// Deletes a pod as a node's crash would: at once.
    pub fn kill(&self, pod: &str) {
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        let _ = block_on(self.api("Pod").delete(pod, &at_once));
    }

    /// An object; nothing where there is none, or where the API server cannot say.
    pub fn find(&self, kind: &str, name: &str) -> Option<Value> {
        block_on(self.api(kind).get_opt(name)).ok().flatten().map(|object| json_of(&object))
    }

    /// An object that is there.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        wait::await_within(Duration::from_secs(20), &format!("{kind} {name} is there"), || {
            self.find(kind, name)
        })
        .0
    }

    /// All objects of a kind with these labels, by name.
    pub fn list(&self, kind: &str, labels: &str) -> Vec<Value> {
        let found = block_on(self.api(kind).list(&ListParams::default().labels(labels)));
        let found = found.unwrap_or_else(|e| panic!("list {kind}: {e}"));
        // A list leaves out the kind of what is in it.
        let with_kind = |object| {
            let mut object = json_of(&object);
            object["kind"] = kind.into();
            object
        };
        let mut all: Vec<Value> = found.items.into_iter().map(with_kind).collect();
        all.sort_by(|one, other| crate::name(one).cmp(crate::name(other)));
        all
    }

    /// Waits until an object satisfies `look`.
    pub fn awaits<T>(&self, what: &str, kind: &str, name: &str, look: impl Fn(&Value) -> Option<T>) -> T {
        wait::await_condition(&format!("{kind} {name} {what}"), || look(&self.find(kind, name)?))
    }

    /// Waits until an object of ours is Ready, as it is now.
    pub fn ready(&self, kind: &str, name: &str) -> Value {
        self.awaits("is Ready", kind, name, |object| is_ready(object).then(|| object.clone()))
    }

    /// Waits until its condition `Ready` has this reason.
    pub fn is(&self, kind: &str, name: &str, reason: &str) -> Value {
        let what = format!("has the reason {reason}");
        self.awaits(&what, kind, name, |object| (crate::reason(object) == reason).then(|| object.clone()))
    }

    /// Pods that run Feeds and Streams and are not about to end, by name.
    pub fn pods(&self) -> Vec<Value> {
        self.pods_that_are("server")
    }

    /// Pods that viewers connect to and that are not about to end, by name.
    pub fn balancers(&self) -> Vec<Value> {
        self.pods_that_are("balancer")
    }

    fn pods_that_are(&self, role: &str) -> Vec<Value> {
        let mut all = self.list("Pod", &format!("millrace.dev/role={role}"));
        all.retain(|pod| pod["metadata"].get("deletionTimestamp").is_none());
        all
    }

    /// The Lease of a Feed.
    pub fn lease(&self, feed: &str) -> Option<Value> {
        self.list("Lease", &format!("millrace.dev/feed={feed}")).pop()
    }

    /// The Lease of a Feed, once the pod that holds it is there, and that pod.
    pub fn owner(&self, feed: &str) -> (Value, Value) {
        wait::await_condition(&format!("Feed {feed} has an owner, who is there"), || {
            let lease = self.lease(feed)?;
            let holder = lease["spec"]["holderIdentity"].as_str()?;
            let pod = self.pods().into_iter().find(|pod| holder.starts_with(&format!("{}_", uid(pod))))?;
            Some((lease, pod))
        })
    }

    /// What a path of an HTTP server in a pod answers, through the API server.
    pub fn http(&self, pod: &str, port: u16, path: &str) -> String {
        // Not by kubectl, which does not show the body of an answer that is no 200.
        let path = format!("/api/v1/namespaces/{}/pods/{pod}:{port}/proxy{path}", self.name);
        let client = client_that_asks_once();
        let ask = async {
            let request = Request::get(path).body(Body::empty()).ok()?;
            let answer = client.send(request).await.ok()?;
            answer.into_body().collect_bytes().await.ok()
        };
        String::from_utf8_lossy(&block_on(ask).unwrap_or_default()).into_owned()
    }

    /// All metrics of a pod: by name and labels as they are written.
    pub fn metrics(&self, pod: &str, port: u16) -> BTreeMap<String, f64> {
        let text = self.http(pod, port, "/metrics");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(k, v)| Some((k.to_owned(), v.parse().ok()?)))
            .collect()
    }

    /// UIDs of media pods, by name.
    pub fn pod_uids(&self) -> BTreeMap<String, String> {
        self.pods().iter().map(|pod| (crate::name(pod).to_owned(), uid(pod).to_owned())).collect()
    }

    /// The media pod that a Feed runs in, by its status, once that is Ready.
    pub fn pod_of(&self, feed: &str) -> Value {
        wait::await_condition(&format!("Feed {feed} says its pod, and that is Ready"), || {
            let feed = self.find("Feed", feed)?;
            self.find("Pod", feed["status"]["pod"].as_str()?).filter(is_ready)
        })
    }

    /// Runs a program in a container of a pod; what it printed.
    pub fn exec(&self, pod: &str, container: &str, argv: &[&str]) -> String {
        let line = format!("exec {pod} -c {container} --");
        let said = self.kubectl(&line).with(argv).within(30).run();
        said.text() + &said.err
    }

    /// All of the log of a pod, of all its containers.
    pub fn log(&self, pod: &str) -> String {
        self.kubectl(&format!("logs {pod} --all-containers --prefix --tail=-1")).run().text()
    }

    /// Events about an object with this reason.
    pub fn events(&self, kind: &str, name: &str, reason: &str) -> Vec<Value> {
        let mut all = self.list("Event", "");
        all.retain(|event| {
            let about = &event["regarding"];
            event["reason"] == reason && about["kind"] == kind && about["name"] == name
        });
        all
    }

    /// Where a Stream is served for people outside, once it is Ready.
    pub fn address(&self, stream: &str) -> Address {
        let url = self.awaits("is Ready and says where it is served", "Stream", stream, |object| {
            let url = object.pointer("/status/url/http")?.as_str()?;
            is_ready(object).then(|| url.to_owned())
        });
        let address = Address::of(&url);
        // Of a new Cluster the balancers may not be there yet, or its Service not know them.
        wait::await_condition("the Service has somebody behind it", || {
            TcpStream::connect(address.host.as_str()).ok().map(drop)
        });
        address
    }
}

fn json_of(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
    value
}

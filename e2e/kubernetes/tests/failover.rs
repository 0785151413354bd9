//! Who owns a feed, and what viewers see when that changes.
//!
//! [`parts`] stops parts of the cluster itself, and is left to `make e2e`, as are [`delay`], [`clocks`] and [`hostile`].

mod clocks;
mod delay;
mod drains;
mod hostile;
mod kills;
mod members;
mod owners;
mod parts;
mod stranger;

use std::time::Duration;

use millrace_e2e_kubernetes::{
    Address, Crowd, Space, address_of, await_condition, cluster, control_plane_and_workers, feed, is_ready,
    local, marked, name, nodes, stream,
};
use serde_json::{Value, json};

/// What no viewer may wait longer than, on a machine with two cores that runs all of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The Feeds of a scene; the Stream of each is at `/NAME`.
const FEEDS: [&str; 4] = ["a", "b", "c", "d"];

/// Some Feeds with a Stream each, and two balancers.
struct Scene {
    addresses: Vec<Address>,
}

impl Scene {
    /// All four Feeds.
    fn four(space: &Space, spec: &Value) -> Self {
        Self::with(space, &FEEDS, spec, &|feed| feed)
    }

    /// These Feeds, each as `change` makes it, in a Cluster with more in its spec.
    fn with(space: &Space, feeds: &[&str], spec: &Value, change: &dyn Fn(Value) -> Value) -> Self {
        space.apply(&cluster("default", spec));
        Self::balancers(space, 2);
        for name in feeds {
            space.apply_all(&[change(feed(name, &marked())), stream(name, name)]);
        }
        let addresses = feeds.iter().map(|feed| outside(&space.address(feed))).collect();
        for feed in feeds {
            space.owner(feed);
        }
        Self { addresses }
    }

    /// Waits until so many balancers are Ready.
    fn balancers(space: &Space, count: usize) -> Vec<Value> {
        await_condition(&format!("{count} balancers are Ready"), || {
            let all = space.balancers();
            (all.len() == count && all.iter().all(is_ready)).then_some(all)
        })
    }

    /// That many viewers in all, who see pictures.
    fn watched(&self, viewers: usize) -> Crowd {
        Crowd::watch(&self.addresses, viewers / self.addresses.len())
    }
}

/// The same at the control plane's node, which no test stops.
fn outside(address: &Address) -> Address {
    if !local() {
        return address.clone();
    }
    let (first, _) = control_plane_and_workers();
    let node = nodes().into_iter().find(|node| name(node) == first).unwrap_or_default();
    let port = address.host.rsplit(':').next().unwrap_or_default();
    Address { host: format!("{}:{port}", address_of(&node)), path: address.path.clone() }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn node_of(pod: &Value) -> &str {
    text(pod, "/spec/nodeName")
}

/// What a Lease says of the epoch.
fn epoch(lease: &Value) -> i64 {
    lease["spec"]["leaseTransitions"].as_i64().unwrap_or_default()
}

/// Waits until a Feed's Lease has a newer epoch than this, with a grant beside it, which its status says, too; the Lease.
fn newer(space: &Space, feed: &str, than: i64) -> Value {
    await_condition(&format!("the Lease of {feed} has a newer epoch than {than}"), || {
        let (lease, status) = (space.lease(feed)?, space.find("Feed", feed)?);
        let granted = !text(&lease, "/metadata/annotations/millrace.dev~1grant").is_empty();
        let agreed = status["status"]["epoch"].as_i64() == Some(epoch(&lease));
        (granted && agreed && epoch(&lease) > than).then_some(lease)
    })
}

/// Waits until a Feed's Lease is sealed again after somebody meddled with it: its holder's as before, or a newer epoch.
fn sealed(space: &Space, feed: &str, before: &Value) -> Value {
    await_condition(&format!("the Lease of {feed} is as it was, or newer"), || {
        let (lease, status) = (space.lease(feed)?, space.find("Feed", feed)?);
        let grant = "/metadata/annotations/millrace.dev~1grant";
        let same = lease["spec"]["holderIdentity"] == before["spec"]["holderIdentity"]
            && epoch(&lease) == epoch(before)
            && text(&lease, grant) == text(before, grant);
        let agreed = status["status"]["epoch"].as_i64() == Some(epoch(&lease));
        let newer = epoch(&lease) > epoch(before) && text(&lease, grant) != text(before, grant) && agreed;
        (same || newer).then_some(lease)
    })
}

/// A merge patch of a Lease that claims it for somebody else.
fn claimed(lease: &Value, holder: &str) -> Value {
    json!({"spec": {"holderIdentity": holder, "leaseTransitions": epoch(lease) + 5}})
}

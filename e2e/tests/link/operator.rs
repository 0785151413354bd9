//! A test's own operator, as balancers know it.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use millrace_e2e::{Pod, eventually};
use millrace_fencing::Holder;
use millrace_report::{
    message::{Balancing, Edge, Edges, Fence, Hello, LinkState},
    server::{Event, Options, Server},
    tls::self_signed,
    token,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::Cluster;

const KEY: &[u8] = b"a key of the operator";
const SLOT: &str = "edge-balancers";

/// What balancers said last, whole, by UID.
type Said = Arc<Mutex<BTreeMap<String, (Hello, Balancing)>>>;

pub struct Operator {
    _runtime: Runtime,
    pub server: Server,
    said: Said,
    files: TempDir,
    revision: Mutex<u64>,
}

impl Operator {
    pub fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let shown = self_signed("millrace-operator").unwrap();
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            replica: "operator-0".to_owned(),
            ..Options::default()
        };
        let authenticate = |hello: &Hello| {
            let right = token::slot_token(KEY, &hello.namespace, &hello.slot);
            if token::same(&hello.token, &right) { Ok(()) } else { Err("another slot's".to_owned()) }
        };
        let (server, mut events) = runtime.block_on(Server::start(options, &shown, authenticate)).unwrap();
        let files = tempfile::tempdir().unwrap();
        fs::write(files.path().join("ca"), &shown.certificate).unwrap();
        fs::write(files.path().join("token"), token::slot_token(KEY, "video", SLOT)).unwrap();
        let said = Said::default();
        let to = said.clone();
        runtime.spawn(async move {
            while let Some(event) = events.recv().await {
                let mut said = to.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Event::Joined { hello, .. } => {
                        said.insert(hello.uid.clone(), (hello, Balancing::default()));
                    }
                    Event::Beat { uid, beat } => {
                        if let (Some((_, before)), Some(mut now)) = (said.get_mut(&uid), beat.balancer) {
                            now.newest = now.newest.or(before.newest.take());
                            now.floors = now.floors.or(before.floors.take());
                            *before = now;
                        }
                    }
                    Event::Gone { uid, .. } => {
                        said.remove(&uid);
                    }
                }
            }
        });
        Self { _runtime: runtime, server, said, files, revision: Mutex::new(0) }
    }

    /// A balancer of the cluster that is a member here, too: its pod and its UID have its name.
    pub fn balancer(&self, of: &Cluster, name: &str, cluster: &str, more: &[&str]) -> Pod {
        let file = |name: &str| self.files.path().join(name).display().to_string();
        let (address, ca, token) = (self.server.address().to_string(), file("ca"), file("token"));
        let mut arguments = vec!["--operator", &address, "--operator-ca", &ca, "--operator-token", &token];
        arguments.extend(["--slot", SLOT, "--pod-uid", name, "--pod-name", name, "--pod-namespace", "video"]);
        arguments.extend(more);
        let pod = of.balancer(name, cluster, &arguments);
        eventually("the operator hears it", || self.said(name).map(drop));
        pod
    }

    pub fn hello(&self, uid: &str) -> Option<Hello> {
        Some(self.said.lock().unwrap_or_else(PoisonError::into_inner).get(uid)?.0.clone())
    }

    pub fn said(&self, uid: &str) -> Option<Balancing> {
        Some(self.said.lock().unwrap_or_else(PoisonError::into_inner).get(uid)?.1.clone())
    }

    /// Waits until a balancer says what is wanted.
    pub fn hears<T>(&self, uid: &str, what: &str, wanted: impl Fn(&Balancing) -> Option<T>) -> T {
        eventually(&format!("the operator hears that {what}"), || wanted(&self.said(uid)?))
    }

    /// Waits until it says this of its link with a pod.
    pub fn hears_link(&self, uid: &str, pod: &str, wanted: impl Fn(LinkState) -> bool) {
        self.hears(uid, &format!("the link with {pod} is so"), |said| {
            said.links.get(pod).copied().filter(|state| wanted(*state)).map(drop)
        });
    }

    /// Tells a balancer of an epoch.
    pub fn fence(&self, uid: &str, of: &Cluster, feed: &str, holder: &Holder, epoch: u64, frames: bool) {
        let grant = STANDARD.encode(of.signed(feed, holder, epoch));
        self.fence_by(uid, Fence { feed: format!("uid-{feed}"), grant, frames });
    }

    pub fn fence_by(&self, uid: &str, fence: Fence) {
        assert!(self.server.fence(uid, vec![fence]), "nobody is there");
    }

    /// Tells these balancers of all of them: name, host, sessions, whether it takes viewers.
    pub fn edges(&self, edges: &[(&str, &str, u32, bool)]) {
        let mut revision = self.revision.lock().unwrap();
        *revision += 1;
        let all = edges.iter().map(|(name, host, sessions, open)| Edge {
            name: (*name).to_owned(),
            host: (*host).to_owned(),
            link: String::new(),
            sessions: *sessions,
            bits_per_second: 0,
            open: *open,
        });
        let all = Arc::new(Edges { revision: *revision, edges: all.collect() });
        for (name, ..) in edges {
            assert!(self.server.edges(name, all.clone()), "{name} is not there");
        }
    }
}

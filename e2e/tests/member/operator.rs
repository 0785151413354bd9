//! An operator's end of the status connection, and a media pod that is a member of its cluster.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use millrace_e2e::{Pod, eventually};
use millrace_report::{
    message::{Beat, Configuration, Hello},
    server::{Event, Options, Server},
    tls::{CertificateAndKey, self_signed},
    token,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const KEY: &[u8] = b"a key of the operator";
pub const UID: &str = "8d5e7f8e-0001";

/// What was heard of one media pod.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub hello: Hello,
    /// All of it, feeds, streams and upstreams too.
    pub beat: Beat,
    pub beats: u64,
    pub joined: u64,
    pub here: bool,
}

type Pods = Arc<Mutex<BTreeMap<String, Known>>>;

/// One replica.
pub struct Operator {
    runtime: Runtime,
    server: Option<Server>,
    pub address: SocketAddr,
    pub shown: CertificateAndKey,
    pods: Pods,
}

impl Operator {
    pub fn new() -> Self {
        Self::at(([127, 0, 0, 1], 0).into(), self_signed("millrace-operator").unwrap())
    }

    /// Another replica, or the same one later.
    pub fn at(listen: SocketAddr, shown: CertificateAndKey) -> Self {
        let runtime = Runtime::new().unwrap();
        let authenticate = |hello: &Hello| {
            let right = token::slot_token(KEY, &hello.namespace, &hello.slot);
            if token::same(&hello.token, &right) {
                Ok(())
            } else {
                Err("the token is of another slot".to_owned())
            }
        };
        let options = Options { listen, replica: "operator-0".to_owned(), ..Options::default() };
        let (server, mut events) = runtime.block_on(Server::start(options, &shown, authenticate)).unwrap();
        let pods = Pods::default();
        let to = pods.clone();
        runtime.spawn(async move {
            while let Some(event) = events.recv().await {
                note(&mut to.lock().unwrap_or_else(PoisonError::into_inner), event);
            }
        });
        Self { runtime, address: server.address(), server: Some(server), shown, pods }
    }

    pub fn stop(&mut self) {
        self.runtime.block_on(self.server.take().unwrap().stop());
    }

    /// What is known of the media pod of these tests.
    pub fn pod(&self) -> Known {
        self.known(UID)
    }

    /// What is known of a media pod.
    pub fn known(&self, uid: &str) -> Known {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned().unwrap_or_default()
    }

    /// Waits until one media pod is as it is wanted.
    pub fn hears_of<T>(&self, uid: &str, what: &str, wanted: impl Fn(&Known) -> Option<T>) -> T {
        eventually(&format!("the operator hears of {uid} that {what}"), || wanted(&self.known(uid)))
    }

    /// Waits until that is as it is wanted.
    pub fn hears<T>(&self, what: &str, wanted: impl Fn(&Known) -> Option<T>) -> T {
        eventually(&format!("the operator hears that {what}"), || wanted(&self.pod()))
    }

    pub fn joins(&self) {
        self.hears("it is there", |pod| (pod.here && pod.beats > 0).then_some(()));
    }

    pub fn push(&self, revision: u64, yaml: &str, secrets: &str) {
        let new = Configuration {
            revision,
            yaml: yaml.to_owned(),
            secrets: secrets.to_owned(),
            template: String::new(),
        };
        self.push_to(UID, new);
    }

    pub fn push_to(&self, uid: &str, new: Configuration) {
        assert!(self.server.as_ref().unwrap().configure(uid, Arc::new(new)), "nobody is there");
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }
}

fn note(pods: &mut BTreeMap<String, Known>, event: Event) {
    match event {
        Event::Joined { hello, .. } => {
            let pod = pods.entry(hello.uid.clone()).or_default();
            *pod = Known { hello, joined: pod.joined + 1, here: true, ..Known::default() };
        }
        Event::Beat { uid, mut beat } => {
            let pod = pods.entry(uid).or_default();
            beat.feeds = beat.feeds.or(pod.beat.feeds.take());
            beat.streams = beat.streams.or(pod.beat.streams.take());
            let before = pod.beat.balancer.take().and_then(|balancer| balancer.upstreams);
            if let Some(balancer) = &mut beat.balancer {
                balancer.upstreams = balancer.upstreams.take().or(before);
            }
            (pod.beat, pod.beats) = (beat, pod.beats + 1);
        }
        Event::Gone { uid, .. } => pods.entry(uid).or_default().here = false,
    }
}

/// The files of a member, as in its ConfigMap and Secret.
pub struct Files(pub TempDir);

impl Files {
    pub fn new(shown: &CertificateAndKey, slot: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for directory in ["config", "secret"] {
            fs::create_dir(files.0.path().join(directory)).unwrap();
        }
        fs::write(files.path("secret/operator.crt"), &shown.certificate).unwrap();
        fs::write(files.path("secret/token"), token::slot_token(KEY, "video", slot)).unwrap();
        files
    }

    /// Of a configuration.
    pub fn with(self, revision: u64, yaml: &str, secrets: &str) -> Self {
        self.write(revision, yaml, secrets);
        self
    }

    pub fn write(&self, revision: u64, yaml: &str, secrets: &str) {
        for (file, text) in [("secret/secrets.yaml", secrets), ("config/millrace.yaml", yaml)] {
            fs::write(self.path(file), text).unwrap();
            fs::write(self.path(file).with_file_name("revision"), revision.to_string()).unwrap();
        }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// A media pod of slot `cams-door`; `operators` are their addresses.
    pub fn run(&self, operators: &[SocketAddr], more: &[&str]) -> Pod {
        let arguments = self.arguments(operators, UID, more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Pod::start_on_with(&self.path("config/millrace.yaml"), &arguments).unwrap_or_else(|e| panic!("{e:#}"))
    }

    /// What makes a media pod a member, behind its first file; `more` comes last.
    pub fn arguments(&self, operators: &[SocketAddr], uid: &str, more: &[&str]) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        let secrets = text(&self.path("secret/secrets.yaml"));
        let (certificate, token) =
            (text(&self.path("secret/operator.crt")), text(&self.path("secret/token")));
        let operators: Vec<_> = operators.iter().map(ToString::to_string).collect();
        let operators = operators.join(",");
        let mut arguments = vec!["-f", &secrets, "--operator", &operators, "--operator-ca", &certificate];
        arguments.extend(["--operator-token", &token, "--slot", "cams-door", "--pod-uid", uid]);
        arguments.extend(["--pod-name", "cams-door-x1y2z", "--pod-namespace", "video"]);
        arguments.extend(more);
        arguments.into_iter().map(str::to_owned).collect()
    }
}

/// A port where nobody listens now.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

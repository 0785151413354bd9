//! A cluster of a test's own.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use millrace_e2e::{PATTERN, Pod, eventually, live, resource, stream};
use millrace_fencing::{Epoch, Grant, Holder, Signer};
use millrace_link::secure::MemberId;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The members that every test has.
const MEMBERS: [(&str, u16); 4] = [("one", 0x100), ("two", 0x100), ("edge", 0x200), ("other-edge", 0x200)];

/// Keys, grants and where the balancers are.
pub struct Cluster {
    files: TempDir,
    operator: Signer,
    starts: Cell<u32>,
}

/// A server pod and what it is called.
pub struct Server {
    pub pod: Pod,
    pub holder: Holder,
}

impl Cluster {
    pub fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        let operator = Signer::from_pkcs8(&Signer::generate().unwrap()).unwrap();
        let mut members = json!({});
        for (name, role) in MEMBERS {
            let public = key(&files.path().join(format!("{name}.key")));
            members[name] = json!([{"key": public, "role": role}]);
        }
        key(&files.path().join("alien.key"));
        let pods: BTreeMap<String, &str> =
            MEMBERS.iter().map(|(name, _)| (format!("pod-{name}"), *name)).collect();
        let keys = json!({"operator": hex(operator.public())});
        let trust = json!({"grantKeys": keys, "members": members, "pods": pods});
        fs::write(files.path().join("members.json"), trust.to_string()).unwrap();
        Self { files, operator, starts: Cell::new(0) }
    }

    pub fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// A balancer, ready but without any link.
    pub fn balancer(&self, name: &str, cluster: &str, more: &[&str]) -> Pod {
        let (key, trust) = (self.path(&format!("{name}.key")), self.path("members.json"));
        let mut arguments = vec!["--link", "127.0.0.1:0", "--link-key", &key, "--link-trust", &trust];
        arguments.extend(more);
        Pod::balance(cluster, &arguments).unwrap_or_else(|e| panic!("{e:#}"))
    }

    /// A server pod whose feeds were granted to it in these epochs. It dials one balancer.
    pub fn server(&self, member: &str, yaml: &str, grants: &[(&str, u64)], to: &Pod) -> Server {
        self.server_of(member, yaml, grants, &link_of(to))
    }

    /// As `server`, dialing an address.
    pub fn server_of(&self, member: &str, yaml: &str, grants: &[(&str, u64)], to: &str) -> Server {
        self.starts.set(self.starts.get() + 1);
        let (uid, boot) = (format!("pod-{member}"), format!("boot-{}", self.starts.get()));
        let holder: Holder = format!("{uid}_{boot}").parse().unwrap();
        let file = self.path(&format!("grants-{boot}.json"));
        self.grant(&file, &holder, grants);
        let (key, trust) = (self.path(&format!("{member}.key")), self.path("members.json"));
        let mut arguments = vec!["--link-to", to, "--link-key", &key, "--link-trust", &trust];
        arguments.extend(["--grants", &file, "--pod-uid", &uid, "--boot-id", &boot]);
        arguments.extend(["--internal", "127.0.0.1:0"]);
        let pod = Pod::start_with(yaml, &arguments).unwrap_or_else(|e| panic!("{e:#}"));
        Server { pod, holder }
    }

    /// Writes grants of feeds for `holder`.
    pub fn grant(&self, file: &str, holder: &Holder, grants: &[(&str, u64)]) {
        let named = |(feed, epoch): &(&str, u64)| {
            let grant = Grant {
                feed: format!("uid-{feed}").parse().unwrap(),
                holder: holder.clone(),
                epoch: Epoch::new(*epoch).unwrap(),
            };
            json!({"feed": feed, "grant": STANDARD.encode(self.operator.sign(&grant).to_bytes())})
        };
        let all: Vec<Value> = grants.iter().map(named).collect();
        let new = format!("{file}.new");
        fs::write(&new, json!(all).to_string()).unwrap();
        fs::rename(new, file).unwrap();
    }

    /// A signed grant of a feed.
    pub fn signed(&self, feed: &str, holder: &Holder, epoch: u64) -> Vec<u8> {
        let (feed, epoch) = (format!("uid-{feed}").parse().unwrap(), Epoch::new(epoch).unwrap());
        self.operator.sign(&Grant { feed, holder: holder.clone(), epoch }).to_bytes()
    }
}

/// Where a balancer listens for links.
pub fn link_of(pod: &Pod) -> String {
    let line = pod.logged("listening link=");
    let (_, rest) = line.split_once("listening link=").unwrap();
    rest.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').next().unwrap().to_owned()
}

/// Makes a key: its public half.
fn key(file: &Path) -> String {
    let der = Signer::generate().unwrap();
    let body = STANDARD.encode(&der);
    fs::write(file, format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")).unwrap();
    hex(Signer::from_pkcs8(&der).unwrap().public())
}

fn hex(key: &[u8]) -> String {
    MemberId(key.try_into().unwrap()).to_string()
}

/// A camera: a feed that runs while somebody watches, or always.
pub fn camera(name: &str, activation: &str) -> String {
    let spec = json!({"source": {"command": live(PATTERN, 10, "-c:a aac")}, "activation": activation});
    resource("Feed", name, &spec)
}

/// The camera at `/NAME.ts`.
pub fn ts(name: &str) -> String {
    stream(name, &json!({"path": format!("/{name}.ts"), "feeds": [name]}))
}

/// Waits until a path is there.
pub fn known(balancer: &Pod, path: &str) {
    eventually(&format!("{path} is known"), || {
        let head = balancer.curl(path, &["-I", "-o", "/dev/null", "-w", "%{http_code}"]).stdout;
        (head == b"200").then_some(())
    });
}

pub fn curl(url: &str, arguments: &[&str]) -> Output {
    Command::new("curl").args(["-sS", "--max-time", "30"]).args(arguments).arg(url).output().unwrap()
}

/// The status of a request.
pub fn code(url: &str, arguments: &[&str]) -> String {
    let all = [&["-o", "/dev/null", "-w", "%{http_code}"], arguments].concat();
    String::from_utf8(curl(url, &all).stdout).unwrap()
}

//! Server pods whose operator grants them what they own, and balancers by hand.

use std::{fs, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use millrace_e2e::{PATTERN, Pod, eventually, live, resource, stream};
use millrace_fencing::{Epoch, Grant, Signer};
use millrace_link::secure::MemberId;
use millrace_report::{
    link::{Key, Members, NamedGrant},
    message::{Edge, Edges, Ownership},
};
use serde_json::json;
use tempfile::TempDir;

use crate::operator::{Files, Operator};

const MEMBERS: [(&str, u16); 3] = [("server", 0x100), ("edge", 0x200), ("other-edge", 0x200)];

/// Keys, and an operator.
pub struct Fleet {
    pub operator: Operator,
    folder: TempDir,
    signer: Signer,
    pub members: Members,
}

/// A server pod.
pub struct Server {
    pub pod: Pod,
    pub uid: String,
    _files: Files,
}

impl Server {
    /// This start of it.
    pub fn holder(&self) -> String {
        holder(&self.uid)
    }
}

fn holder(uid: &str) -> String {
    format!("{uid}_boot-of-{uid}")
}

impl Fleet {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::from_pkcs8(&Signer::generate().unwrap()).unwrap();
        let mut members = Members::default();
        members.grant_keys.insert("operator".to_owned(), hex(signer.public()));
        for (name, role) in MEMBERS {
            let key = key(&folder.path().join(format!("{name}.key")));
            members.members.insert(name.to_owned(), vec![Key { key, role }]);
        }
        let fleet = Self { operator: Operator::new(), folder, signer, members };
        fleet.trust("members.json", &fleet.members);
        fleet
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Writes whom to believe.
    pub fn trust(&self, file: &str, members: &Members) {
        fs::write(self.path(file), serde_json::to_string(members).unwrap()).unwrap();
    }

    /// A balancer by hand.
    pub fn balancer(&self, name: &str) -> Pod {
        let arguments = self.link_files(name, "members.json");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let arguments = [&["--link", "127.0.0.1:0"], &arguments[..]].concat();
        Pod::balance("", &arguments).unwrap_or_else(|e| panic!("{e:#}"))
    }

    pub fn link_files(&self, name: &str, trust: &str) -> Vec<String> {
        let key = self.path(&format!("{name}.key"));
        vec!["--link-key".to_owned(), key, "--link-trust".to_owned(), self.path(trust)]
    }

    /// A server pod that is a member, and dials `to`.
    pub fn server(&self, uid: &str, yaml: &str, to: &str, more: &[&str]) -> Server {
        self.server_with(uid, yaml, to, "members.json", more)
    }

    /// As `server`, with a file of its own that says whom to believe.
    pub fn server_with(&self, uid: &str, yaml: &str, to: &str, trust: &str, more: &[&str]) -> Server {
        let files = Files::new(&self.operator.shown, "cams-door").with(1, yaml, "");
        let boot = format!("boot-of-{uid}");
        let links = self.link_files("server", trust);
        let mut arguments: Vec<&str> = vec!["--link-to", to, "--boot-id", &boot];
        arguments.extend(links.iter().map(String::as_str));
        arguments.extend(more);
        let arguments = files.arguments(&[self.operator.address], uid, &arguments);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let pod = Pod::start_on_with(&files.path("config/millrace.yaml"), &arguments)
            .unwrap_or_else(|e| panic!("{e:#}"));
        self.operator.hears_of(uid, "it is there", |pod| (pod.here && pod.beats > 0).then_some(()));
        Server { pod, uid: uid.to_owned(), _files: files }
    }

    /// A grant, in Base64.
    pub fn signed(&self, feed: &str, holder: &str, epoch: u64) -> String {
        let (feed, holder) = (format!("uid-{feed}").parse().unwrap(), holder.parse().unwrap());
        STANDARD
            .encode(self.signer.sign(&Grant { feed, holder, epoch: Epoch::new(epoch).unwrap() }).to_bytes())
    }

    /// The same, of a feed by its name.
    pub fn grant(&self, feed: &str, holder: &str, epoch: u64) -> NamedGrant {
        NamedGrant { feed: Some(feed.to_owned()), stream: None, grant: self.signed(feed, holder, epoch) }
    }

    /// Tells a server pod what it owns.
    pub fn own(&self, uid: &str, grants: Vec<NamedGrant>, revoked: Vec<String>) {
        let said = Ownership { revision: 1, grants, revoked, ..Ownership::default() };
        assert!(self.operator.server().own(uid, Arc::new(said)), "nobody is there");
    }

    /// Grants one feed to a server pod.
    pub fn give(&self, server: &Server, feed: &str, epoch: u64) {
        self.own(&server.uid, vec![self.grant(feed, &server.holder(), epoch)], Vec::new());
    }

    /// Waits until a server pod says that it holds these feeds in these epochs.
    pub fn holds(&self, uid: &str, wanted: &[(&str, u64)]) {
        let wanted: Vec<_> = wanted.iter().map(|(feed, epoch)| (format!("uid-{feed}"), *epoch)).collect();
        self.operator.hears_of(uid, &format!("it holds {wanted:?}"), |known| {
            let held = known.beat.holdings.iter().map(|held| (held.feed.clone(), held.epoch));
            (held.collect::<Vec<_>>() == wanted).then_some(())
        });
    }
}

/// Balancers as an operator names them.
pub fn edges(links: &[&str]) -> Arc<Edges> {
    let edge = |link: &&str| Edge {
        name: format!("edge-{link}"),
        host: "127.0.0.1".to_owned(),
        link: (*link).to_owned(),
        sessions: 0,
        bits_per_second: 0,
        open: true,
    };
    Arc::new(Edges { revision: 1, edges: links.iter().map(edge).collect() })
}

/// Where a balancer listens for links.
pub fn link_of(pod: &Pod) -> String {
    let line = pod.logged("listening link=");
    let (_, rest) = line.split_once("listening link=").unwrap();
    rest.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').next().unwrap().to_owned()
}

/// Waits until a balancer has so many links.
pub fn links(balancer: &Pod, count: i64) {
    eventually(&format!("the balancer has {count} links"), || {
        (balancer.metric("millrace_edge_links") == count).then_some(())
    });
}

/// Waits until a path is there.
pub fn known(balancer: &Pod, path: &str) {
    eventually(&format!("{path} is known"), || (head(balancer, path) == "200").then_some(()));
}

/// The status of a HEAD.
fn head(balancer: &Pod, path: &str) -> String {
    let out = balancer.curl(path, &["-I", "-o", "/dev/null", "-w", "%{http_code}"]);
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// A Cluster whose members beat so seldom that whatever is told in time is told by itself.
pub fn slow_beats() -> String {
    resource("Cluster", "default", &json!({"heartbeat": {"interval": "20s"}}))
}

/// A camera at `/NAME.ts`.
pub fn camera(name: &str, activation: &str) -> String {
    let spec = json!({"source": {"command": live(PATTERN, 10, "-c:a aac")}, "activation": activation});
    resource("Feed", name, &spec) + &stream(name, &json!({"path": format!("/{name}.ts"), "feeds": [name]}))
}

fn key(file: &Path) -> String {
    let der = Signer::generate().unwrap();
    let body = STANDARD.encode(&der);
    fs::write(file, format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")).unwrap();
    hex(Signer::from_pkcs8(&der).unwrap().public())
}

fn hex(key: &[u8]) -> String {
    MemberId(key.try_into().unwrap()).to_string()
}

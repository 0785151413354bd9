//! A balancer and two media pods, one of which owns the feed, as somebody says who signs grants and is no operator.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use millrace_fencing::{Epoch, Grant, Signer};
use serde_json::json;
use tempfile::TempDir;

use super::{PATH, Program, Server, Setup, Target, fifo, free_addr, play};
use crate::ask::ask;
use crate::servers::balanced::{BALANCER, CLUSTER, SERVER, hex, key};
use crate::servers::pod;

const MEMBERS: [&str; 2] = ["one", "two"];

/// Keys, grants and where the balancer is.
pub struct Owners {
    files: TempDir,
    signer: Signer,
    link: SocketAddr,
}

impl Owners {
    /// Makes keys; the feed is the first media pod's.
    pub fn new() -> Result<Self> {
        let files = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
        let signer = Signer::from_pkcs8(&Signer::generate().context("no key")?).context("no key")?;
        let (mut members, mut pods) = (BTreeMap::new(), BTreeMap::new());
        for (name, role) in MEMBERS.map(|name| (name, SERVER)).into_iter().chain([("balancer", BALANCER)]) {
            let public = key(&files.path().join(format!("{name}.key")))?;
            members.insert(name, json!([{"key": public, "role": role}]));
            pods.insert(format!("pod-{name}"), name);
        }
        let trust = json!({"grantKeys": {"bench": hex(signer.public())}, "members": members, "pods": pods});
        fs::write(files.path().join("members.json"), trust.to_string())?;
        let owners = Self { files, signer, link: free_addr()? };
        fs::write(owners.grants(1), "[]")?;
        owners.grant(0, 1)?;
        Ok(owners)
    }

    fn grants(&self, member: usize) -> PathBuf {
        self.files.path().join(format!("grants-{member}.json"))
    }

    /// Gives the feed to a media pod. Those look at their grants five times a second.
    pub fn grant(&self, member: usize, epoch: u64) -> Result<()> {
        let name = MEMBERS.get(member).context("no such member")?;
        let grant = Grant {
            feed: "uid-bench".parse()?,
            holder: format!("pod-{name}_boot-{name}").parse()?,
            epoch: Epoch::new(epoch)?,
        };
        let signed = STANDARD.encode(self.signer.sign(&grant).to_bytes());
        let new = self.files.path().join("grants.new");
        fs::write(&new, json!([{"feed": "bench", "grant": signed}]).to_string())?;
        fs::rename(new, self.grants(member))?;
        Ok(())
    }

    fn introduce(&self, program: &mut Program, name: &str) {
        let file = |name: &str| self.files.path().join(name).into_os_string();
        program.argv.extend(["--link-key".into(), file(&format!("{name}.key"))]);
        program.argv.extend(["--link-trust".into(), file("members.json")]);
    }

    /// Starts the balancer.
    pub fn balancer(&self, program: &Path) -> Result<Server> {
        let (dir, addr) = (tempfile::Builder::new().prefix("millrace-bench-").tempdir()?, free_addr()?);
        let yaml = dir.path().join("millrace.yaml");
        fs::write(&yaml, CLUSTER)?;
        let mut program =
            Program::new([program.into(), "balance".into(), "-f".into(), yaml.into_os_string()]);
        program.argv.extend(["--http", &addr.to_string(), "--link", &self.link.to_string()].map(Into::into));
        self.introduce(&mut program, "balancer");
        Server::spawn(&program, dir, addr, None, PATH.to_owned())
    }

    /// Starts a media pod, plays to it, and waits until it has the stream.
    pub fn media_pod(&self, setup: &Setup<'_>, member: usize) -> Result<Server> {
        let name = MEMBERS.get(member).context("no such member")?;
        let (dir, addr) = (tempfile::Builder::new().prefix("millrace-bench-").tempdir()?, free_addr()?);
        let pipe = fifo(dir.path())?;
        let mut program = pod::program(setup.pod, dir.path(), &pipe, addr, None)?;
        program
            .argv
            .extend(["--link-to", &self.link.to_string(), "--internal", "127.0.0.1:0"].map(Into::into));
        program.argv.extend(["--grants".into(), self.grants(member).into_os_string()]);
        let (uid, boot) = (format!("pod-{name}"), format!("boot-{name}"));
        program.argv.extend(["--pod-uid", &uid, "--boot-id", &boot].map(Into::into));
        self.introduce(&mut program, name);
        let mut server = Server::spawn(&program, dir, addr, None, PATH.to_owned())?;
        play(setup, &mut server, Target::Fifo(pipe), 1 + member as u64)?;
        Ok(server)
    }

    /// Waits until the balancer has so many links.
    pub fn wait_links(balancer: &Server, count: usize) -> Result<()> {
        let (line, until) =
            (format!("millrace_edge_links {count}"), Instant::now() + Duration::from_secs(10));
        while !metrics(balancer.addr)?.lines().any(|it| it == line) {
            ensure!(
                Instant::now() < until,
                "the balancer has not got {count} links: {}",
                balancer.log_tail()
            );
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn metrics(addr: SocketAddr) -> Result<String> {
    let mut all = String::new();
    ask(addr, "/metrics", Duration::from_secs(5))?.read_to_string(&mut all)?;
    Ok(all)
}

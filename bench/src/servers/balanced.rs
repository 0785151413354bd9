//! A server pod with a balancer before it, as docs/operating.md starts them by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData};
use serde_json::json;

use super::{Program, Server, Setup, fifo, free_addr, pod};
use crate::source::{Source, Target};

pub(super) const CLUSTER: &str =
    "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: edge}\nspec: {}\n";
pub(super) const SERVER: u16 = 0x100;
pub(super) const BALANCER: u16 = 0x200;

/// Both, with a stream between them.
pub struct Balanced {
    /// Where viewers are; it has no source of its own.
    pub balancer: Server,
    /// Where the stream comes from.
    pub server: Server,
}

impl Balanced {
    /// Starts both, plays to the server, and waits until a viewer of the balancer gets stream.
    pub fn start(setup: &Setup<'_>) -> Result<Self> {
        let at_balancer = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
        let at_server = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
        let keys = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
        let (of_balancer, of_server) =
            (key(&keys.path().join("balancer.key"))?, key(&keys.path().join("server.key"))?);
        let trust = json!({"grantKeys": {"server": of_server}, "members": {
            "server": [{"key": of_server, "role": SERVER}], "balancer": [{"key": of_balancer, "role": BALANCER}]}});
        fs::write(keys.path().join("members.json"), trust.to_string())?;
        let shown = |program: &mut Program, name: &str| {
            for (flag, file) in [("--link-key", name), ("--link-trust", "members.json")] {
                program.argv.extend([flag.into(), keys.path().join(file).into_os_string()]);
            }
        };

        let (link, path) = (free_addr()?, "/bench.ts".to_owned());
        let yaml = at_balancer.path().join("millrace.yaml");
        fs::write(&yaml, CLUSTER)?;
        let addr = free_addr()?;
        let mut program =
            Program::new([setup.pod.into(), "balance".into(), "-f".into(), yaml.into_os_string()]);
        program.argv.extend(["--http", &addr.to_string(), "--link", &link.to_string()].map(Into::into));
        shown(&mut program, "balancer.key");
        let balancer = Server::spawn(&program, at_balancer, addr, None, path.clone())?;

        let pipe = fifo(at_server.path())?;
        let addr = free_addr()?;
        let mut program = pod::program(setup.pod, at_server.path(), &pipe, addr, None)?;
        program.argv.extend(["--link-to", &link.to_string()].map(Into::into));
        shown(&mut program, "server.key");
        let mut server = Server::spawn(&program, at_server, addr, None, path)?;
        server.source = Some(Source::start(setup.clip.clone(), setup.mode, Target::Fifo(pipe)));
        let mut both = Self { balancer, server };
        both.balancer.wait_stream().with_context(|| {
            format!("the balancer says: {}; the server: {}", both.balancer.log_tail(), both.server.log_tail())
        })?;
        Ok(both)
    }
}

/// Writes a private key; the public half in hexadecimal.
pub(super) fn key(file: &Path) -> Result<String> {
    let pair = KeyPair::generate_for(&PKCS_ED25519)?;
    fs::write(file, pair.serialize_pem())?;
    Ok(hex(pair.der_bytes()))
}

/// Two digits for each byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "{byte:02x}");
        all
    })
}

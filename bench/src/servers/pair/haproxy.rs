//! Debian's `haproxy`, with all that it has to notice early that a server is gone.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::{PATH, Program, Server, find_program};

/// All viewers are the first server's as long as it is there. It is asked ten times a second, and is down with the first
/// connection that fails; its sessions are then closed, and the connection is tried at the second at once.
pub fn start(at: SocketAddr, first: SocketAddr, second: SocketAddr) -> Result<Server> {
    let program = find_program("haproxy").context("there is no haproxy: `apt-get install haproxy`")?;
    let dir = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
    let file = dir.path().join("haproxy.cfg");
    let text = format!(
        "global
  maxconn 2000
defaults
  mode http
  timeout connect 100ms
  timeout client 60s
  timeout server 60s
  retries 5
  option redispatch 1
frontend viewers
  bind {at}
  default_backend origins
backend origins
  default-server check inter 100ms fall 1 rise 1 observe layer4 error-limit 1 on-error mark-down on-marked-down shutdown-sessions
  server first {first}
  server second {second} backup
"
    );
    fs::write(&file, text)?;
    let program = Program::new([program.into_os_string(), "-db".into(), "-f".into(), file.into_os_string()]);
    Server::spawn(&program, dir, at, None, PATH.to_owned())
}

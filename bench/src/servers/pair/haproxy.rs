//! Debian's `haproxy`, with all that it has to notice early that a server is gone.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::{PATH, Program, Server, find_program};

/// All viewers are the first server's as long as it is there. It is asked five times a second, and is down when it fails
/// twice; its sessions are then closed, and a connection that fails is tried at the second at once.
pub fn start(at: SocketAddr, first: SocketAddr, second: SocketAddr) -> Result<Server> {
    let program = find_program("haproxy").context("there is no haproxy: `apt-get install haproxy`")?;
    let dir = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
    let file = dir.path().join("haproxy.cfg");
    let text = format!(
        "global
  maxconn 2000
defaults
  mode http
  timeout connect 250ms
  timeout client 60s
  timeout server 60s
  retries 5
  option redispatch 1
frontend viewers
  bind {at}
  default_backend origins
backend origins
  default-server check inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
  server first {first}
  server second {second} backup
"
    );
    fs::write(&file, text)?;
    let program = Program::new([program.into_os_string(), "-db".into(), "-f".into(), file.into_os_string()]);
    Server::spawn(&program, dir, at, None, PATH.to_owned())
}

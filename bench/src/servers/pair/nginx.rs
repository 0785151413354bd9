//! Debian's `nginx`, passing on what comes as it comes.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::{PATH, Program, Server, find_program};

/// All viewers are the first server's as long as it is there. After one failure it is not asked for ten seconds, and a
/// request that it has not begun to answer is passed to the second, which is asked whatever happened before.
pub fn start(at: SocketAddr, first: SocketAddr, second: SocketAddr) -> Result<Server> {
    let program = find_program("nginx").context("there is no nginx: `apt-get install nginx`")?;
    let dir = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
    let (here, file) = (dir.path().display(), dir.path().join("nginx.conf"));
    let text = format!(
        "daemon off;
master_process off;
pid {here}/pid;
error_log stderr;
events {{ worker_connections 1000; }}
http {{
  access_log off;
  client_body_temp_path {here}/body;
  proxy_temp_path {here}/proxy;
  fastcgi_temp_path {here}/fastcgi;
  uwsgi_temp_path {here}/uwsgi;
  scgi_temp_path {here}/scgi;
  upstream origins {{
    server {first} max_fails=1 fail_timeout=10s;
    server {second} max_fails=0 backup;
  }}
  server {{
    listen {at};
    location / {{
      proxy_pass http://origins;
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_connect_timeout 1s;
      proxy_next_upstream error timeout;
    }}
  }}
}}
"
    );
    fs::write(&file, text)?;
    let mut program = Program::new([program.into_os_string(), "-e".into(), "stderr".into(), "-c".into()]);
    program.argv.push(file.into_os_string());
    Server::spawn(&program, dir, at, None, PATH.to_owned())
}

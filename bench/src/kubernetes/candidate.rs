//! The operator that is measured: a process here, so that the kernel says what it costs.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::time;

use super::figures::{self, Requests};
use crate::proc;

/// The namespace of its Lease and its Secret.
pub const NAMESPACE: &str = "bench-operator";
/// The name of both.
pub const LEASE: &str = "bench";
const PATIENCE: Duration = Duration::from_mins(2);
/// So long after its start it waits for media pods that may not have found it yet.
const DEAF: Duration = Duration::from_secs(9);

/// The operator, while it runs.
pub struct Candidate {
    child: Child,
    /// Where it listens to media pods.
    pub link: SocketAddr,
    http: SocketAddr,
}

impl Drop for Candidate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Candidate {
    /// Starts it for one namespace, and waits until it leads and listens to everything that is said.
    pub async fn start(program: &Path, namespace: &str) -> Result<Self> {
        let (http, link) = (free()?, free()?);
        let log = File::create(std::env::temp_dir().join("bench-operator.log"))?;
        let parent = std::process::id().to_string();
        let child = Command::new(std::env::current_exe()?)
            .args(["launch", "--parent", &parent, "--"])
            .arg(program)
            .args(["--namespace", namespace, "--leader-lease", LEASE, "--pod-namespace", NAMESPACE])
            .args(["--pod-name", "bench", "--log-level", "warn", "--link-address", "127.0.0.1:9"])
            .args(["--http", &http.to_string(), "--link-listen", &link.to_string()])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut it = Self { child, link, http };
        let began = Instant::now();
        while !it.leads().await? {
            if began.elapsed() > PATIENCE {
                bail!("the operator does not lead within {} s: see bench-operator.log", PATIENCE.as_secs());
            }
            time::sleep(Duration::from_millis(100)).await;
        }
        time::sleep(DEAF).await;
        Ok(it)
    }

    async fn leads(&mut self) -> Result<bool> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the operator has ended ({status}): see bench-operator.log");
        }
        let text = figures::get(self.http, "/metrics").await.map(|(_, text)| text).unwrap_or_default();
        let ready = figures::get(self.http, "/readyz").await.is_ok_and(|(status, _)| status == 200);
        Ok(ready && text.contains("millrace_operator_leader 1"))
    }

    /// The requests that it has made.
    pub async fn requests(&self) -> Result<Requests> {
        figures::requests(self.http).await
    }

    /// Seconds of CPU that it has used.
    pub fn cpu(&self) -> Result<f64> {
        proc::all_cpu_seconds(self.child.id())
    }

    /// Resident memory in MB: now, and at its highest.
    pub fn memory(&self) -> Result<(f64, f64)> {
        let (now, peak) = (proc::rss_kib(self.child.id())?, proc::peak_rss_kib(self.child.id())?);
        Ok((now as f64 / 1024.0, peak as f64 / 1024.0))
    }
}

//! What pods use, for `HorizontalPodAutoscaler`s: the metrics-server, beside the cluster.

use std::{
    fs,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use millrace_e2e::repository;
use tempfile::NamedTempFile;

use crate::{
    kubectl,
    programs::{kubeconfig, tool},
    wait::{LONG, await_within},
};

/// The cluster has metrics of its pods and nodes, until this is dropped.
pub struct Metrics {
    server: Child,
    log: NamedTempFile,
}

impl Metrics {
    /// Starts it, by `e2e/cluster/metrics-server`. Two runs take turns.
    pub fn start() -> Self {
        // The first time it is compiled.
        tool("metrics-server", "--version").ok();
        let log = NamedTempFile::new().unwrap();
        let errors = log.reopen().unwrap();
        let server = Command::new(repository("e2e/cluster/metrics-server"))
            .env("KUBECONFIG", kubeconfig())
            // It cleans up when its input ends, which it does however this process ends; so it must not end with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(errors.try_clone().unwrap())
            .stderr(errors)
            .spawn();
        let mut metrics = Self { server: server.unwrap(), log };
        metrics.come();
        metrics
    }

    fn come(&mut self) {
        // Another run may have it for as long as its test takes.
        let ((), took) = await_within(2 * LONG, "there are metrics of nodes", || {
            let ended = self.server.try_wait().unwrap();
            assert!(ended.is_none(), "e2e/cluster/metrics-server: {ended:?}\n{}", self.said());
            let said = kubectl("get --raw /apis/metrics.k8s.io/v1beta1/nodes").run();
            let text = said.text();
            (said.code == Some(0) && text.contains("\"usage\"")).then_some(()).or_else(|| {
                std::thread::sleep(Duration::from_millis(400));
                None
            })
        });
        println!("metrics of nodes after {took:.1?}");
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap_or_default()
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
        if std::thread::panicking() {
            eprintln!("=== e2e/cluster/metrics-server\n{}", self.said());
        }
    }
}

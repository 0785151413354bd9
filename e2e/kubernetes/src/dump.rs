//! What is said when a test fails.

use crate::{OPERATOR, SYSTEM, kubectl};

const KINDS: &str =
    "clusters.millrace.dev,feeds,streams,rooms,pods,deployments,services,leases,hpa,poddisruptionbudgets";

/// The last `lines` of what a command prints.
fn tail(title: &str, line: &str, lines: usize) {
    let said = kubectl(line).within(30).run();
    let text = said.text() + &said.err;
    let all: Vec<_> = text.lines().collect();
    let last = all.get(all.len().saturating_sub(lines)..).unwrap_or_default();
    eprintln!("--- {title}: kubectl {line}\n{}", last.join("\n"));
}

/// All that helps to see why a test failed. Secrets' contents are not printed.
pub(crate) fn namespace(namespace: &str) {
    tail("objects", &format!("-n {namespace} get {KINDS},configmaps,secrets -o wide"), 200);
    tail("objects as YAML", &format!("-n {namespace} get {KINDS} -o yaml"), 1500);
    tail("configuration", &format!("-n {namespace} get configmaps -l millrace.dev/cluster -o yaml"), 600);
    tail("events", &format!("-n {namespace} get events --sort-by=.lastTimestamp"), 100);
    let pods = kubectl(&format!("-n {namespace} get pods -o name")).within(30).run().text();
    for pod in pods.lines() {
        tail("log", &format!("-n {namespace} logs {pod} --all-containers --prefix --tail=60"), 200);
        let before = kubectl(&format!("-n {namespace} logs {pod} --all-containers --prefix --tail=40 -p"));
        let before = before.within(30).run();
        if before.code == Some(0) && !before.out.is_empty() {
            eprintln!("--- log of {pod} before its restart\n{}", before.text());
        }
    }
    operator();
}

/// The operator's pods, events and logs.
pub(crate) fn operator() {
    tail("operator", &format!("-n {SYSTEM} get pods,deployments,leases -o wide"), 50);
    tail("operator's events", &format!("-n {SYSTEM} get events --sort-by=.lastTimestamp"), 30);
    tail("operator's log", &format!("-n {SYSTEM} logs -l {OPERATOR} --prefix --tail=150"), 400);
}

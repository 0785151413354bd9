//! The media pod, and the YAML it is measured with.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::{Program, tls::Identity};

/// One pass-through Stream of a named pipe.
pub fn program(
    pod: &Path,
    dir: &Path,
    fifo: &Path,
    addr: SocketAddr,
    tls: Option<(&Identity, SocketAddr)>,
) -> Result<Program> {
    let mut yaml = document("Feed", "bench", &feed(fifo, "Continuous"))
        + &document("Stream", "bench", "path: /bench.ts, feeds: [bench]");
    if let Some((id, _)) = tls {
        yaml += &document("Cluster", "default", "tls: {secretName: bench}");
        yaml += &secret(&fs::read_to_string(&id.cert)?, &fs::read_to_string(&id.key)?)?;
    }
    fs::write(dir.join("millrace.yaml"), yaml)?;
    let mut program = run(pod, dir, addr);
    if let Some((_, addr)) = tls {
        program.argv.extend(["--https".into(), addr.to_string().into()]);
    }
    Ok(program)
}

/// JSON strings are YAML strings.
fn secret(cert: &str, key: &str) -> Result<String> {
    let data = serde_json::json!({"tls.crt": cert, "tls.key": key});
    let head = "apiVersion: v1\nkind: Secret\nmetadata: {name: bench}\ntype: kubernetes.io/tls\n";
    Ok(format!("{head}stringData: {}\n---\n", serde_json::to_string(&data)?))
}

/// The media pod on the `millrace.yaml` in `dir`.
pub fn run(pod: &Path, dir: &Path, addr: SocketAddr) -> Program {
    let argv = [pod.into(), "run".into(), "-f".into(), dir.join("millrace.yaml").into_os_string()];
    let mut program = Program::new(argv);
    program.argv.extend(["--http".into(), addr.to_string().into()]);
    program
}

fn feed(file: &Path, activation: &str) -> String {
    format!("source: {{file: {{path: {}}}}}, activation: {activation}", file.display())
}

fn document(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: millrace.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n"
    )
}

/// So many feeds of a file that nobody has asked for, a Stream on each; `changed` is another path for Stream 500.
pub fn many(count: usize, file: &Path, changed: &str) -> String {
    let mut yaml = String::new();
    for i in 0..count {
        let source = format!("source: {{file: {{path: {}, loop: true, paced: true}}}}", file.display());
        let path = if i == count / 2 { changed.to_owned() } else { format!("/s{i}.ts") };
        let stream = document("Stream", &format!("s{i}"), &format!("path: {path}, feeds: [f{i}]"));
        let _ = write!(yaml, "{}{stream}", document("Feed", &format!("f{i}"), &source));
    }
    yaml
}

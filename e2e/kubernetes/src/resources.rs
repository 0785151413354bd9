//! Objects for tests.

use millrace_e2e::{PATTERN, STEADY, live, merged};
use serde_json::{Value, json};

/// One of our resources.
pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "millrace.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A Cluster that is reached from outside by a port of each node; `more` are fields of its spec.
pub fn cluster(name: &str, more: &Value) -> Value {
    object("Cluster", name, &merged(json!({"service": {"type": "NodePort"}}), more))
}

/// A Feed that runs `argv`.
pub fn feed(name: &str, argv: &Value) -> Value {
    object("Feed", name, &json!({"source": {"command": argv}}))
}

/// A Stream at `/NAME` of one Feed, passed through.
pub fn stream(name: &str, of: &str) -> Value {
    object("Stream", name, &json!({"path": format!("/{name}"), "feeds": [of]}))
}

/// The object with more fields in its spec.
pub fn with(mut object: Value, more: &Value) -> Value {
    object["spec"] = merged(object["spec"].take(), more);
    object
}

/// ffmpeg's test pattern, small, with a tone, as MPEG-TS with a random access point each second.
pub fn pattern() -> Value {
    live(PATTERN, 10, "-c:a aac -b:a 32k").into()
}

/// ffmpeg's test pattern without sound, ten pictures a second, each tenth a random access point. The service's name says which run
/// of the source it is, for [`crate::Scan`]: the pod's name and when it began.
pub fn marked() -> Value {
    let picture = live("testsrc2=size=160x120:rate=10", 10, "-sdt_period 0.2 -metadata service_name=");
    let words = picture.join(" ");
    let run = "service_name=\"run:$(cat /etc/hostname)/$(date +%s%N);\"";
    let script = words.replace("service_name=", run).replace("{output}", "pipe:1");
    json!(["sh", "-c", format!("exec {script}")])
}

/// 200 kB/s of no container, which cost next to nothing.
pub fn steady() -> Value {
    json!(["sh", "-c", STEADY.replace('{', "{{").replace('}', "}}")])
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{Found, Scan};

    #[test]
    fn the_marked_source_says_its_run_and_has_pictures() {
        let argv = marked();
        let script = format!("({}) | head -c 60000", argv[2].as_str().unwrap());
        let out = Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
        let (mut scan, mut found) = (Scan::default(), Vec::new());
        scan.take(&out, |one| found.push(one));
        assert!(matches!(&found[0], Found::Run(run) if run.contains('/')), "{found:?}");
        assert!(matches!(found[1], Found::Picture { key: true, pts: Some(_) }), "{found:?}");
        let pictures = found.iter().filter(|one| matches!(one, Found::Picture { .. })).count();
        assert!(pictures + 1 == found.len() && pictures > 10, "{found:?}");
    }
}

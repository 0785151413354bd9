//! The log: its format, and that nobody else can write it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{fs, io::Write, net::TcpStream};

use millrace_e2e::{PATTERN, Pod, eventually, feed, live, read_from, script, stream};
use serde_json::{Value, json};

/// Whether a line begins with `YYYY-mm-dd hh:mm:ss.sss `.
fn stamped(line: &str) -> bool {
    let pattern = b"dddd-dd-dd dd:dd:dd.ddd ";
    line.len() > pattern.len()
        && line.bytes().zip(pattern).all(|(c, p)| if *p == b'd' { c.is_ascii_digit() } else { c == *p })
}

fn well_formed(log: &[String]) {
    assert_eq!(&log[0][24..], format!("media-pod {}", env!("CARGO_PKG_VERSION")));
    for line in log {
        assert!(stamped(line), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    for line in &log[1..] {
        let level = line[24..].split(' ').next().unwrap();
        assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "{line:?}");
    }
}

const FORGED: &str = "2026-01-01 00:00:00.000 INFO forged";

/// A command that says bad things, and ends.
fn liar(directory: &std::path::Path) -> String {
    let text = format!(
        "printf '\\r\\033[2J{FORGED}\\n{FORGED}\\n\\000\\377\\033]0;x\\007{FORGED}\\r\\n' >&2; exit 3"
    );
    let lies = script(directory, "lies", &text);
    stream("liar", &json!({"path": "/liar", "command": [lies], "container": "Raw"}))
}

#[test]
fn every_line_has_its_time_and_connections_are_logged() {
    let directory = tempfile::tempdir().unwrap();
    let yaml = feed("pattern", &live(PATTERN, 10, ""))
        + &stream("plain", &json!({"path": "/plain.ts", "feeds": ["pattern"]}))
        + &liar(directory.path());
    let pod = Pod::start_with(&yaml, &["--log-level", "debug"]).unwrap();
    let mut viewer = pod.viewer("/plain.ts");
    read_from(&mut viewer, 10_000);
    let peer = viewer.local_addr().unwrap().to_string();
    let joined = pod.logged("viewer joined");
    assert!(joined.contains(&format!("peer={peer}")) && joined.contains("/plain.ts"), "{joined}");
    drop(viewer);
    let left = pod.logged("viewer left");
    assert!(left.contains(&format!("peer={peer}")) && left.contains("bytes="), "{left}");
    assert_eq!(pod.status("/liar"), 503);
    assert_eq!(pod.status("/no%0a/such"), 404);
    pod.logged("not found");
    pod.edit("nonsense: [");
    pod.logged("refused");
    well_formed(&pod.log());
}

#[test]
fn a_line_cannot_be_forged_by_a_viewer_or_a_command() {
    let directory = tempfile::tempdir().unwrap();
    let yaml = feed("pattern", &live(PATTERN, 10, ""))
        + &stream("plain", &json!({"path": "/plain.ts", "feeds": ["pattern"]}))
        + &liar(directory.path());
    for format in ["text", "json"] {
        let pod = Pod::start_with(&yaml, &["--log-format", format, "--log-level", "debug"]);
        let Ok(pod) = pod else { panic!("{:#}", pod.err().unwrap()) };
        let request = |path: &str, agent: &str| {
            let mut socket = TcpStream::connect(pod.address()).unwrap();
            let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n\r\n");
            socket.write_all(head.as_bytes()).unwrap();
            socket
        };
        let mut first = request("/plain.ts", &format!("a\" {FORGED}\t\u{85}\u{2028}{FORGED}"));
        let refused = request("/plain.ts", &format!("\u{1b}[31m{FORGED}"));
        read_from(&mut first, 1000);
        let odd = request(&format!("/%0d%0a{}%1b[2J", FORGED.replace(' ', "%20")), "b");
        assert_eq!(pod.status("/liar"), 503);
        pod.logged("not found");
        eventually("what the command said was logged", || {
            pod.log().iter().any(|line| line.contains("forged")).then_some(())
        });
        drop((first, refused, odd));
        pod.logged("viewer left");
        for line in pod.log() {
            assert!(!line.starts_with(FORGED), "{line:?}");
            assert!(
                !line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')),
                "{line:?}"
            );
        }
        if format == "text" {
            well_formed(&pod.log());
        } else {
            all_json(&pod.log());
        }
    }
}

fn all_json(log: &[String]) {
    for (number, line) in log.iter().enumerate() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
        assert!(stamped(&format!("{} x", value["timestamp"].as_str().unwrap())), "{line}");
        assert!(value["level"].is_string() && value["message"].is_string(), "{line}");
        if number == 0 {
            assert_eq!(value["message"], format!("media-pod {}", env!("CARGO_PKG_VERSION")));
        }
    }
}

#[test]
fn with_json_every_line_is_an_object_the_first_and_errors_too() {
    let yaml = feed("pattern", &live(PATTERN, 10, ""))
        + &stream("plain", &json!({"path": "/plain.ts", "feeds": ["pattern"]}));
    let pod = Pod::start_with(&yaml, &["--log-format", "json"]).unwrap();
    read_from(&mut pod.viewer("/plain.ts"), 1000);
    pod.logged("viewer left");
    pod.edit("nonsense: [");
    pod.logged("refused");
    all_json(&pod.log());
    // Not even the last words are anything else.
    let file = pod.file().display().to_string();
    let said = millrace_e2e::run(millrace_e2e::binary(), &["run", "-f", &file, "--log-format", "json"], 20);
    assert_eq!(said.code, Some(1));
    all_json(&said.err.lines().map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn secrets_are_never_logged_or_shown() {
    let directory = tempfile::tempdir().unwrap();
    let tells = script(directory.path(), "tells", "echo \"the password is $PASSWORD, isn't it\" >&2; exit 1");
    let yaml = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: hunter2-hunter2}\n"
        .to_owned()
        + &stream(
            "tells",
            &json!({
                "path": "/tells", "command": [tells],
                "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}}]
            }),
        );
    let pod = Pod::start_with(&yaml, &["--log-level", "trace"]).unwrap();
    let answer = String::from_utf8(pod.curl("/tells", &["-i"]).stdout).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    pod.logged("the password is");
    let page = String::from_utf8(pod.curl("/stat", &[]).stdout).unwrap();
    let shown = [answer, pod.stat().to_string(), page, pod.log().join("\n")];
    for text in &shown {
        assert!(!text.contains("hunter2"), "{text}");
    }
    fs::remove_dir_all(directory.path()).unwrap();
}

//! The command line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{fs, net::TcpListener, path::Path};

use millrace_e2e::{Said, binary, feed, repository, run, stream, words};
use serde_json::json;

fn media_pod(arguments: &[&str]) -> Said {
    run(binary(), arguments, 30)
}

fn file(directory: &Path, yaml: &str) -> String {
    let path = directory.join("millrace.yaml");
    fs::write(&path, yaml).unwrap();
    path.display().to_string()
}

#[test]
fn run_without_a_file_says_how_to_begin_with_something_that_is_right() {
    if Path::new("/etc/millrace/millrace.yaml").exists() {
        return;
    }
    let said = media_pod(&["run"]);
    assert_eq!(said.code, Some(1));
    for part in ["/etc/millrace/millrace.yaml", "-f", "media-pod run -f door.yaml", "ffplay"] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    let example: String = said
        .err
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .take_while(|line| !line.starts_with("media-pod"))
        .fold(String::new(), |all, line| all + line + "\n");
    let directory = tempfile::tempdir().unwrap();
    let said = media_pod(&["check", "-f", &file(directory.path(), &example)]);
    assert_eq!(said.code, Some(0), "{example}: {}", said.err);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for command in ["run", "check", "resolve"] {
        let said = media_pod(&[command, "-f", "/does/not/exist.yaml"]);
        assert_eq!(said.code, Some(1), "{command}");
        assert!(said.err.contains("/does/not/exist.yaml"), "{command}: {}", said.err);
    }
}

#[test]
fn check_says_all_that_is_wrong_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let yaml = feed("one", &words("ffmpeg {outptu}"))
        + &stream("a", &json!({"path": "/same", "feeds": ["one"]}))
        + &stream("b", &json!({"path": "/same", "feeds": ["nobody"]}))
        + "---\napiVersion: millrace.dev/v1alpha1\nkind: Stream\nmetadata: {name: c}\nspec:\n  path: no-slash\n  colour: blue\n  feeds: [one]\n";
    let path = file(directory.path(), &yaml);
    let said = media_pod(&["check", "-f", &path]);
    assert_eq!(said.code, Some(1));
    let all = said.text() + &said.err;
    for (line, part) in [(2, "outptu"), (4, "/same"), (6, "nobody"), (12, "no-slash"), (13, "colour")] {
        let told = all.lines().any(|told| told.contains(part) && told.contains("millrace.yaml:"));
        assert!(told, "{part} (about line {line}) is not in:\n{all}");
    }
    assert!(all.lines().any(|told| told.contains("millrace.yaml:13") && told.contains("colour")), "{all}");
    let resolved = media_pod(&["resolve", "-f", &path]);
    assert!(resolved.code == Some(1) && resolved.out.is_empty(), "{}", resolved.text());
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let example = repository("examples/feedless.yaml").display().to_string();
    let said = media_pod(&["run", "-f", &example, "--http", &address]);
    assert_eq!(said.code, Some(1));
    let last = said.err.lines().last().unwrap();
    assert!(last.contains(&address) && last.contains("another program already does"), "{}", said.err);
    // The log to its end: each line has its time.
    assert!(
        said.err.lines().all(|line| line.starts_with("20") && line.as_bytes()[23] == b' '),
        "{}",
        said.err
    );
}

#[test]
fn wrong_arguments_are_explained() {
    for (arguments, part) in [
        (&["run", "--http", "nowhere"][..], "nowhere"),
        (&["run", "--log-level", "loud", "-f", "x"], "loud"),
        (&["run", "--log-level", "info,x=", "-f", "x"], "a level is"),
        (&["run", "--log-level", "off", "-f", "/does/not/exist"], "/does/not/exist"),
        (&["fly"], "fly"),
        (&["run", "--log-format", "xml"], "json"),
    ] {
        let said = media_pod(arguments);
        assert!(
            said.code.is_some_and(|code| code != 0) && said.err.contains(part),
            "{arguments:?}: {}",
            said.err
        );
    }
    let said = media_pod(&["--version"]);
    assert_eq!(said.text().trim(), concat!("media-pod ", env!("CARGO_PKG_VERSION")));
    let help = media_pod(&["run", "--help"]).text();
    for option in ["--file", "--http", "--https", "--log-format", "--log-level"] {
        assert!(help.contains(option), "{help}");
    }
}

#[test]
fn it_ends_by_sigterm_and_sigint_with_all_that_it_started() {
    let example = fs::read_to_string(repository("examples/feedless.yaml")).unwrap();
    for signal in ["TERM", "INT"] {
        let mut pod = millrace_e2e::Pod::start(&example);
        assert!(pod.read("/clock.ts", 1000).0.starts_with("HTTP/1.1 200"));
        let mut viewer = pod.viewer("/clock.ts");
        millrace_e2e::read_from(&mut viewer, 1000);
        let children = millrace_e2e::children_of(pod.pid());
        assert!(!children.is_empty());
        pod.signal(signal);
        assert_eq!(pod.ended(), Some(0), "{signal}");
        millrace_e2e::eventually("its children are gone", || {
            let gone = |pid: &u32| !Path::new(&format!("/proc/{pid}")).exists();
            children.iter().all(gone).then_some(())
        });
    }
}

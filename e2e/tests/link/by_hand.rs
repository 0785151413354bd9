//! As docs/operating.md says: keys by openssl, and a server that grants itself what it has.

use std::{fs, process::Command};

use millrace_e2e::{Pod, Watcher, eventually, repository};

use crate::support::{camera, known, link_of, ts};

#[test]
fn the_steps_of_the_documentation_work_and_the_server_that_was_started_last_has_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(repository("docs/operating.md")).unwrap();
    let (_, rest) = text.split_once("## Balancers by hand").unwrap();
    let block = rest.split("```").nth(1).unwrap();
    let (keys, _) = block.split_once("\nmedia-pod balance").unwrap();
    let made = Command::new("sh").args(["-euc", keys]).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let path = |name: &str| folder.path().join(name).display().to_string();
    let (trust, edge_key, server_key) = (path("members.json"), path("balancer.key"), path("server.key"));
    let yaml = fs::read_to_string(path("edge.yaml")).unwrap();
    let arguments = ["--link", "127.0.0.1:0", "--link-key", &edge_key, "--link-trust", &trust];
    let edge = Pod::balance(&yaml, &arguments).unwrap_or_else(|e| panic!("{e:#}"));
    let to = link_of(&edge);
    let server = || {
        let arguments = ["--link-to", &to, "--link-key", &server_key, "--link-trust", &trust];
        Pod::start_with(&(camera("door", "OnDemand") + &ts("door")), &arguments)
            .unwrap_or_else(|e| panic!("{e:#}"))
    };
    let began = std::time::Instant::now();
    let first = server();
    known(&edge, "/door.ts");
    let viewer = Watcher::new(edge.viewer("/door.ts"));
    viewer.flows(10_000);
    // Epochs are seconds here.
    eventually("the next second", || (began.elapsed().as_secs() >= 2).then_some(()));
    let second = server();
    second.feed_is("door", "Running");
    first.feed_is("door", "Idle");
    viewer.flows(10_000);
}

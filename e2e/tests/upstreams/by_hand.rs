//! As docs/operating.md says.

use std::{fs, process::Command};

use millrace_e2e::{Pod, Watcher, repository};

use crate::{
    setup::{at, origin},
    support::known,
};

#[test]
fn the_steps_of_the_documentation_make_a_tree() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(repository("docs/operating.md")).unwrap();
    let (_, rest) = text.split_once("## A tree of Clusters").unwrap();
    let block = rest.split("```").nth(1).unwrap();
    let (files, _) = block.split_once("\nmedia-pod run").unwrap();
    let made = Command::new("sh").args(["-euc", files]).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key, trust) = (path("balancer.key"), path("members.json"));
    let balance = |file: &str, upstream: &str, to: &str| {
        let yaml = fs::read_to_string(path(file)).unwrap();
        assert!(yaml.contains(upstream), "{yaml}");
        let arguments = ["--link", "127.0.0.1:0", "--link-key", &key, "--link-trust", &trust];
        Pod::balance(&yaml.replace(upstream, to), &arguments).unwrap_or_else(|e| panic!("{e:#}"))
    };
    let origin = origin();
    let eu = balance("eu.yaml", "millrace://127.0.0.1:8081", &at(&origin));
    let paris = balance("paris.yaml", "millrace://127.0.0.1:8082", &at(&eu));
    known(&paris, "/a.ts");
    Watcher::new(paris.viewer("/a.ts")).flows(10_000);
}

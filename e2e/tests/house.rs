//! The house rules that a machine can hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && !path.is_symlink() && name != "target" && name != ".git" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(root(), &mut found);
    let relative = |path: &PathBuf| path.strip_prefix(root()).unwrap().display().to_string();
    found.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_library_forbids_unsafe_code_and_missing_docs() {
    for (path, text) in all() {
        if !path.ends_with("src/lib.rs") {
            continue;
        }
        assert!(text.contains("#![deny(missing_docs)]"), "{path}");
        assert!(text.contains("#![forbid(unsafe_code)]") || path == "media-pod/sys/src/lib.rs", "{path}");
    }
}

#[test]
fn nothing_is_unfinished() {
    // Put together here, so that this file is not found.
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
        concat!("#[ign", "ore]"),
    ];
    for (path, text) in all() {
        for word in words {
            assert!(!text.contains(word), "{path} has {word}");
        }
    }
}

#[test]
fn no_file_is_past_five_hundred_lines() {
    for (path, text) in all() {
        let lines = text.lines().count();
        assert!(lines <= 500, "{path} has {lines} lines: look for the seam");
    }
}

#[test]
fn there_is_one_crypto_provider() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--locked",
            "--offline",
            "--edges",
            "normal,build,dev",
            "--invert",
            "ring",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    assert!(tree.is_empty(), "ring is in the tree beside aws-lc-rs:\n{tree}");
}

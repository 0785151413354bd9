//! Other programs, run to their end.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// Runs `program` to its end, for `seconds` at most.
///
/// # Panics
/// If it cannot be started.
#[allow(clippy::panic, reason = "a test ends by it")]
pub fn run(program: impl AsRef<Path>, arguments: &[&str], seconds: u32) -> Said {
    let program = program.as_ref();
    let output = Command::new("timeout")
        .args(["-k", "5", &seconds.to_string()])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{}: {e}", program.display()));
    Said {
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Writes a program of the test's own.
///
/// # Panics
/// If it cannot be written.
#[allow(clippy::panic, reason = "a test ends by it")]
pub fn script(directory: &Path, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    path.display().to_string()
}

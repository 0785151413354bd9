#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(missing_docs, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use millrace_exec::{Agent, Spec};

pub const EXE: &str = env!("CARGO_BIN_EXE_millrace-exec");

pub fn agent() -> Agent {
    Agent::spawn_from(EXE).unwrap()
}

pub fn sh(script: &str) -> Spec {
    Spec::new(["sh", "-c", script])
}

/// A number of seconds to sleep that no other process of this machine sleeps.
pub fn long() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("1000.{}{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The processes with `text` in an argument.
pub fn with_argument(text: &str) -> Vec<i32> {
    all()
        .into_iter()
        .filter(|pid| {
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(text)
        })
        .filter(|pid| *pid != std::process::id() as i32)
        .collect()
}

fn all() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

pub fn parent_of(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap_or("0").parse().unwrap()
}

/// Children of `pid`, zombies too.
pub fn children_of(pid: i32) -> Vec<i32> {
    all().into_iter().filter(|child| parent_of(*child) == pid).collect()
}

pub fn fds_of(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

pub fn kill(pid: u32) {
    let _ = rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid as i32).unwrap(),
        rustix::process::Signal::KILL,
    );
}

/// Waits until it is so.
#[track_caller]
pub fn until(what: &str, so: impl FnMut() -> bool) {
    assert!(comes_true(so), "not in 20 s: {what}");
}

fn comes_true(mut so: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !so() {
        if begun.elapsed() > Duration::from_secs(20) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// A `millrace-exec serve`, killed with the test.
pub struct Server {
    pub child: Child,
    pub socket: PathBuf,
    _dir: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("exec.sock");
        let child = serve(&socket);
        Self { child, socket, _dir: dir }
    }

    pub fn agent(&self) -> Agent {
        Agent::connect(&self.socket)
    }
}

pub fn serve(socket: &Path) -> Child {
    let child = Command::new(EXE)
        .args(["serve", "--socket", socket.to_str().unwrap()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the server listens", || socket.exists());
    child
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

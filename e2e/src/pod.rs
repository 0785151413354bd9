//! A media pod under test.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::wait::eventually;

/// The binary under test: `target/PROFILE/media-pod`, beside the test's own.
pub fn binary() -> PathBuf {
    let mut path = std::env::current_exe().unwrap_or_default();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.join("media-pod")
}

/// A running media pod. Dropping it kills it.
pub struct Pod {
    child: Child,
    directory: TempDir,
    log: Arc<Mutex<Vec<String>>>,
    address: String,
}

impl Pod {
    /// Starts a media pod on `yaml`, with `arguments` added.
    ///
    /// # Errors
    /// If it ends instead of serving: with its log.
    pub fn start_with(yaml: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("millrace.yaml");
        fs::write(&file, yaml)?;
        Self::run(directory, &file, arguments)
    }

    /// Starts a media pod on a file of the test's own.
    ///
    /// # Errors
    /// As [`Self::start_with`].
    pub fn start_on(file: &Path) -> anyhow::Result<Self> {
        Self::start_on_with(file, &[])
    }

    /// As [`Self::start_on`], with `arguments` added.
    ///
    /// # Errors
    /// As [`Self::start_with`].
    pub fn start_on_with(file: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::run(tempfile::tempdir()?, file, arguments)
    }

    /// Starts a balancer on `yaml`, with `arguments` added.
    ///
    /// # Errors
    /// As [`Self::start_with`].
    pub fn balance(yaml: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("millrace.yaml");
        fs::write(&file, yaml)?;
        Self::spawn(directory, &file, &["balance", "--http", "127.0.0.1:0"], arguments)
    }

    /// Starts a balancer on a file of the test's own, with `arguments` added.
    ///
    /// # Errors
    /// As [`Self::start_with`].
    pub fn balance_on(file: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::spawn(tempfile::tempdir()?, file, &["balance", "--http", "127.0.0.1:0"], arguments)
    }

    fn run(directory: TempDir, file: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::spawn(directory, file, &["run", "--http", "127.0.0.1:0", "--media", "/tmp/millrace"], arguments)
    }

    fn spawn(directory: TempDir, file: &Path, begin: &[&str], arguments: &[&str]) -> anyhow::Result<Self> {
        let program = binary();
        let mut child = Command::new(&program)
            .args(begin)
            .arg("-f")
            .arg(file)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{}: build it first, with `cargo build`", program.display()))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().context("stderr is piped")?).lines();
        let to = log.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                to.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let mut pod = Self { child, directory, log, address: String::new() };
        let address = eventually("the media pod says where it listens", || {
            let listening = pod.log().iter().find_map(|line| {
                let (_, rest) = line.split_once("listening http=")?;
                rest.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').next().map(str::to_owned)
            });
            let ended = pod.child.try_wait().ok().flatten();
            listening.map(Some).or(ended.map(|_| None))
        });
        let Some(address) = address else { bail!("the media pod ended:\n{}", pod.log().join("\n")) };
        pod.address = address;
        Ok(pod)
    }

    /// As [`Self::start_with`], without more arguments.
    ///
    /// # Panics
    /// If it does not start.
    #[allow(clippy::panic, reason = "a test ends by it")]
    pub fn start(yaml: &str) -> Self {
        Self::start_with(yaml, &[]).unwrap_or_else(|e| panic!("{e:#}"))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Address and port that it listens on.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A folder of the test's own.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The configuration file.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("millrace.yaml")
    }

    /// Writes another configuration.
    ///
    /// # Panics
    /// If it cannot be written.
    #[allow(clippy::panic, reason = "a test ends by it")]
    pub fn edit(&self, yaml: &str) {
        fs::write(self.file(), yaml).unwrap_or_else(|e| panic!("the configuration cannot be written: {e}"));
    }

    /// The log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line of the log that holds `text`.
    pub fn logged(&self, text: &str) -> String {
        eventually(&format!("a log line with {text:?}"), || {
            self.log().into_iter().find(|line| line.contains(text))
        })
    }

    /// `curl` on a path, with `arguments` added: whatever it prints.
    ///
    /// # Panics
    /// If there is no curl.
    #[allow(clippy::panic, reason = "a test ends by it")]
    pub fn curl(&self, path: &str, arguments: &[&str]) -> Output {
        let curl = Command::new("curl")
            .args(["-sS", "--max-time", "40"])
            .args(arguments)
            .arg(self.url(path))
            .output();
        curl.unwrap_or_else(|e| panic!("curl: {e}"))
    }

    /// The status of a GET.
    pub fn status(&self, path: &str) -> u16 {
        let out = self.curl(path, &["-o", "/dev/null", "-w", "%{http_code}"]);
        String::from_utf8_lossy(&out.stdout).parse().unwrap_or(0)
    }

    /// The status API.
    pub fn stat(&self) -> Value {
        serde_json::from_slice(&self.curl("/stat.json", &[]).stdout).unwrap_or_default()
    }

    /// The value of a metric without labels, or with exactly these, as a whole number; -1 where there is none.
    pub fn metric(&self, name: &str) -> i64 {
        let text = String::from_utf8_lossy(&self.curl("/metrics", &[]).stdout).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse::<f64>().ok()).map_or(-1, |value| value as i64)
    }

    /// What the status API says of the feed (or `streams`) of that name.
    pub fn entry(&self, list: &str, name: &str) -> Value {
        let all = self.stat();
        let all = all.get(list).and_then(Value::as_array);
        let found = all.and_then(|all| all.iter().find(|one| one.get("name").is_some_and(|n| n == name)));
        found.cloned().unwrap_or_default()
    }

    /// Waits until a feed is in a state.
    pub fn feed_is(&self, name: &str, state: &str) -> Value {
        eventually(&format!("feed {name} is {state}"), || {
            Some(self.entry("feeds", name)).filter(|feed| feed["state"] == state)
        })
    }

    /// A connection that asks for `path` and does nothing more: read from it, or do not.
    ///
    /// # Panics
    /// If it cannot connect.
    #[allow(clippy::panic, reason = "a test ends by it")]
    pub fn viewer(&self, path: &str) -> TcpStream {
        let connect = || {
            let mut socket = TcpStream::connect(&self.address)?;
            socket.set_read_timeout(Some(Duration::from_mins(1)))?;
            write!(socket, "GET {path} HTTP/1.1\r\nHost: millrace\r\n\r\n")?;
            Ok::<_, std::io::Error>(socket)
        };
        connect().unwrap_or_else(|e| panic!("{}: {e}", self.address))
    }

    /// Reads at least `least` bytes of `path` as they come, the response head apart: head and bytes.
    pub fn read(&self, path: &str, least: usize) -> (String, Vec<u8>) {
        read_from(&mut self.viewer(path), least)
    }

    /// Resident memory, in bytes.
    pub fn rss(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// Sends a signal, as `TERM`.
    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
    }

    /// Waits for its end: the exit code, if it had one.
    pub fn ended(&mut self) -> Option<i32> {
        eventually("the media pod ends", || self.child.try_wait().ok().flatten()).code()
    }
}

/// Reads at least `least` bytes after the response head, fewer at the end of the stream: head and bytes.
pub fn read_from(socket: &mut TcpStream, least: usize) -> (String, Vec<u8>) {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let head = all.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        if let Some(head) = head
            && all.len() - head >= least
        {
            let bytes = all.split_off(head);
            return (String::from_utf8_lossy(&all).into_owned(), bytes);
        }
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => {
                let bytes = all.split_off(head.unwrap_or(all.len()));
                return (String::from_utf8_lossy(&all).into_owned(), bytes);
            }
            Ok(n) => all.extend_from_slice(buffer.get(..n).unwrap_or_default()),
        }
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of the media pod ---\n{}", self.log().join("\n"));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

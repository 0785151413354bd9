//! Commands that people type, as they are after `. e2e/cluster/env`.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
};

use millrace_e2e::{Said, repository};

use crate::cluster;

pub(crate) fn kubeconfig() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(cluster::kubeconfig)
}

/// The environment that `e2e/cluster/env` makes; empty where there is none of it (a cluster of somebody else).
fn environment() -> &'static BTreeMap<String, String> {
    static ENVIRONMENT: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let script = format!(". {} && env -0", repository("e2e/cluster/env").display());
        let out = Command::new("bash").args(["-c", &script]).stderr(Stdio::null()).output();
        let text = String::from_utf8_lossy(&out.map(|out| out.stdout).unwrap_or_default()).into_owned();
        let pairs = text.split('\0').filter_map(|line| line.split_once('='));
        let mut all: BTreeMap<String, String> =
            pairs.filter(|(name, _)| !name.starts_with("BASH")).map(|(n, v)| (n.into(), v.into())).collect();
        all.insert("KUBECONFIG".into(), kubeconfig().display().to_string());
        all
    })
}

/// A command line to be run to its end.
pub struct Program {
    name: String,
    arguments: Vec<String>,
    input: String,
    seconds: u32,
}

impl Program {
    /// `line` is parted at blanks; more by [`Self::with`].
    pub fn new(name: &str, line: &str) -> Self {
        let arguments = line.split_whitespace().map(str::to_owned).collect();
        Self { name: name.into(), arguments, input: String::new(), seconds: 180 }
    }

    /// Arguments that may hold blanks.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// What it reads from its standard input.
    #[must_use]
    pub fn input(mut self, text: &str) -> Self {
        self.input = text.into();
        self
    }

    /// How long it may take, in seconds.
    #[must_use]
    pub fn within(mut self, seconds: u32) -> Self {
        self.seconds = seconds;
        self
    }

    /// Runs it.
    pub fn run(&self) -> Said {
        let mut child = Command::new("timeout")
            .args(["-k", "5", &self.seconds.to_string(), &self.name])
            .args(&self.arguments)
            .envs(environment())
            .current_dir(repository("."))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", self.name));
        let (mut stdin, input) = (child.stdin.take().unwrap(), self.input.clone());
        // Beside it, lest both wait for each other; it may end without having read all.
        let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let output = child.wait_with_output().unwrap_or_else(|e| panic!("{}: {e}", self.name));
        let _ = writer.join();
        Said {
            code: output.status.code(),
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs it; it must end with 0. What it printed.
    pub fn ok(&self) -> String {
        let said = self.run();
        assert_eq!(
            said.code,
            Some(0),
            "{} {}\n{}{}",
            self.name,
            self.arguments.join(" "),
            said.text(),
            said.err
        );
        said.text()
    }

    /// Runs it; it must fail. What it said.
    pub fn fails(&self) -> String {
        let said = self.run();
        assert_ne!(said.code, Some(0), "{} {}: did not fail", self.name, self.arguments.join(" "));
        format!("{}{}", said.text(), said.err)
    }
}

/// `kubectl`, at the repository's root.
pub fn kubectl(line: &str) -> Program {
    Program::new("kubectl", line)
}

/// `helm`, in the version of `e2e/cluster/tools`.
pub fn helm(line: &str) -> Program {
    tool("helm", line)
}

/// One of `e2e/cluster/tools`; the first use may compile it.
pub fn tool(name: &str, line: &str) -> Program {
    let script = repository("e2e/cluster/tool").display().to_string();
    Program::new(&script, &format!("{name} {line}")).within(600)
}

/// Whether the cluster is the one of `e2e/cluster/up`, so that its nodes are containers here.
pub fn local() -> bool {
    let said = millrace_e2e::run(repository("e2e/cluster/kubeconfig"), &[], 30);
    said.code == Some(0) && Path::new(said.text().trim()) == kubeconfig()
}

pub(crate) fn engine() -> &'static str {
    environment().get("KIND_EXPERIMENTAL_PROVIDER").map_or("docker", String::as_str)
}

/// A program on a node of the cluster of `e2e/cluster/up`.
pub fn on_node(node: &str, argv: &[&str]) -> Program {
    Program::new(engine(), &format!("exec {node}")).with(argv)
}

/// Stops all that runs on a node of the cluster of `e2e/cluster/up`, until what this gives is dropped.
pub fn pause_node(node: &str) -> Paused {
    Program::new(engine(), &format!("pause {node}")).ok();
    Paused(node.to_owned())
}

/// A node that is stopped.
pub struct Paused(String);

impl Drop for Paused {
    fn drop(&mut self) {
        Program::new(engine(), &format!("unpause {}", self.0)).run();
    }
}

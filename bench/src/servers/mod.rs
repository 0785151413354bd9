//! What is measured: each server in a process and a cgroup of its own, ended when its [`Server`] is dropped.

pub mod balanced;
mod icecast;
pub mod pair;
mod pod;
pub mod tls;

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::fs::{CWD, FileType, Mode as Bits, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::cgroup::Cgroup;
use crate::clip::{Clip, Mode};
use crate::proc;
use crate::source::{Source, Target};
use crate::viewers::{Spec, Viewers};

pub use pod::many as many_streams;

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Kind {
    /// Millrace's media pod
    Pod,
    /// The floor program
    Floor,
    /// hyper bodies over a tokio broadcast channel
    Hyper,
    /// Debian's icecast2
    Icecast,
}

impl Kind {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 4] = [Self::Pod, Self::Floor, Self::Hyper, Self::Icecast];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "media pod",
            Self::Floor => "floor",
            Self::Hyper => "hyper",
            Self::Icecast => "icecast2",
        }
    }
}

/// A server that runs.
pub struct Server {
    /// Where it answers HTTP.
    pub addr: SocketAddr,
    /// Where it answers HTTPS, when asked for with [`Setup::tls`].
    pub tls_addr: Option<SocketAddr>,
    /// The path of the stream.
    pub path: String,
    child: Child,
    source: Option<Source>,
    cgroup: Option<Cgroup>,
    dir: TempDir,
}

/// What a server is started with.
pub struct Setup<'a> {
    /// The media pod's program.
    pub pod: &'a Path,
    /// What is played to it.
    pub clip: &'a Arc<Clip>,
    /// How that is written.
    pub mode: Mode,
    /// A certificate, where HTTPS is wanted too.
    pub tls: Option<&'a tls::Identity>,
}

/// A port on loopback that nobody has at the moment.
pub fn free_addr() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Makes a named pipe.
fn fifo(dir: &Path) -> Result<PathBuf> {
    let fifo = dir.join("feed.ts");
    mknodat(CWD, &fifo, FileType::Fifo, Bits::from_raw_mode(0o600), 0)?;
    Ok(fifo)
}

/// Program, arguments, and the user it must be.
struct Program {
    argv: Vec<OsString>,
    uid: Option<u32>,
}

impl Program {
    fn new<S: Into<OsString>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), uid: None }
    }

    fn spawn(&self, log: &Path, cgroup: Option<&Cgroup>) -> Result<Child> {
        let log = File::create(log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("launch").args(["--parent", &std::process::id().to_string()]);
        if let Some(g) = cgroup {
            command.arg("--cgroup").arg(g.procs());
        }
        if let Some(uid) = self.uid {
            command.args(["--uid", &uid.to_string()]);
        }
        command.arg("--").args(&self.argv);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.spawn().context("starting a server")
    }
}

impl Server {
    /// Starts a server, plays to it, and waits until a viewer gets stream.
    pub fn start(kind: Kind, setup: &Setup<'_>) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
        let fifo = fifo(dir.path())?;
        let addr = free_addr()?;
        let tls_addr = setup.tls.map(|_| free_addr()).transpose()?;
        let mut target = Target::Fifo(fifo.clone());
        let me = std::env::current_exe()?.into_os_string();
        let at = addr.to_string();
        let program = match kind {
            Kind::Floor => {
                Program::new([me, "floor".into(), "--http".into(), at.into(), "--input".into(), fifo.into()])
            }
            Kind::Hyper => {
                let mut argv =
                    vec![me, "hyper".into(), "--http".into(), at.into(), "--input".into(), fifo.into()];
                if let Some((id, addr)) = setup.tls.zip(tls_addr) {
                    argv.extend(["--https".into(), addr.to_string().into()]);
                    argv.extend([
                        "--cert".into(),
                        id.cert.clone().into(),
                        "--key".into(),
                        id.key.clone().into(),
                    ]);
                }
                Program::new(argv)
            }
            Kind::Icecast => {
                target = Target::Icecast(addr, icecast::SOURCE_AUTH.to_owned());
                icecast::program(dir.path(), addr, 0)?
            }
            Kind::Pod => pod::program(setup.pod, dir.path(), &fifo, addr, setup.tls.zip(tls_addr))?,
        };
        let path = "/bench.ts".to_owned();
        let mut server = Self::spawn(&program, dir, addr, tls_addr, path)?;
        server.source = Some(Source::start(Arc::clone(setup.clip), setup.mode, target));
        server.wait_stream().with_context(|| server.story(kind))?;
        Ok(server)
    }

    /// Starts the media pod with a configuration of its own and nothing played to it.
    pub fn start_pod(pod: &Path, yaml: &str) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
        let addr = free_addr()?;
        fs::write(dir.path().join("millrace.yaml"), yaml)?;
        let program = pod::run(pod, dir.path(), addr);
        Self::spawn(&program, dir, addr, None, String::new())
    }

    fn spawn(
        p: &Program,
        dir: TempDir,
        addr: SocketAddr,
        tls: Option<SocketAddr>,
        path: String,
    ) -> Result<Self> {
        let cgroup = Cgroup::create();
        let child = p.spawn(&dir.path().join("log"), cgroup.as_ref())?;
        let mut server = Self { addr, tls_addr: tls, path, child, source: None, cgroup, dir };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(addr).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{:?} ended with {status} before it listened: {}", p.argv, server.log_tail());
            }
            if Instant::now() > until {
                bail!("{:?} does not listen on {addr}: {}", p.argv, server.log_tail());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    fn wait_stream(&mut self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let probe = Viewers::start(Spec::plain(self.addr, &self.path, 1));
            let seen = probe.wait_flowing(Duration::from_secs(3));
            if seen.is_ok() || Instant::now() > until {
                return seen;
            }
            if let Some(e) = self.source.as_mut().and_then(Source::error) {
                return Err(e);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn story(&self, kind: Kind) -> String {
        format!("{} serves no stream; it says: {}", kind.name(), self.log_tail())
    }

    /// The end of what it wrote to stdout and stderr.
    pub fn log_tail(&self) -> String {
        let all = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = all.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    /// Its directory, where the media pod's `millrace.yaml` is.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// CPU time so far, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        proc::cpu_seconds(self.child.id())
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> Result<u64> {
        proc::rss_kib(self.child.id())
    }

    /// Kernel memory of its sockets in bytes, where cgroups tell.
    pub fn sock_bytes(&self) -> Option<u64> {
        self.cgroup.as_ref()?.sock_bytes()
    }

    /// The longest that a write of the source was held up, in nanoseconds.
    pub fn longest_write_ns(&self) -> u64 {
        self.source.as_ref().map_or(0, Source::longest_write_ns)
    }

    /// Ends it, and says what CPU time it and its children used in all, by the kernel's account at its exit, in
    /// seconds. What threads used that have ended is in this, and in nothing else.
    pub fn finish(mut self) -> Result<f64> {
        let before = proc::children_cpu_seconds()?;
        self.end();
        Ok(proc::children_cpu_seconds()? - before)
    }

    /// SIGKILL, and no more of it is there when this returns.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn end(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return; // its number may be another's by now
        }
        let pid = Pid::from_child(&self.child);
        let _ = kill_process(pid, Signal::TERM);
        let until = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where a program is on the `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let usual = std::env::split_paths(&path).chain(["/usr/bin".into(), "/usr/sbin".into()]);
    usual.map(|dir| dir.join(name)).find(|p| p.is_file())
}

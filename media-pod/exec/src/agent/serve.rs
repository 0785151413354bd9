//! An agent behind a listening socket.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::{MAX_COMMANDS, Source, run};
use crate::error::ExecError;

/// How an agent serves a socket.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The socket to make. One that a dead agent left there is replaced.
    pub socket: PathBuf,
    /// The socket's permissions: who may write to it may run commands.
    pub mode: u32,
    /// The most commands at a time.
    pub max_commands: usize,
}

impl ServeOptions {
    /// Only for the own user, and at most 4096 commands.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), mode: 0o600, max_commands: MAX_COMMANDS }
    }
}

/// Serves clients on a Unix socket until SIGTERM or SIGINT; then ends every command and returns when nothing runs.
/// `on_ready` is called once, when the socket takes connections.
/// To be called from the main thread of a process that has none other, and that does nothing else: it reaps
/// every child of the process. The executable's `main` begins with [`maybe_run_agent`](crate::maybe_run_agent).
pub fn serve(options: &ServeOptions, on_ready: impl FnOnce()) -> Result<(), ExecError> {
    let failed = |source| ExecError::Connect { path: options.socket.clone(), source };
    let stop = stop_signal().map_err(ExecError::io("cannot wait for signals"))?;
    let listener = bind(&options.socket, options.mode).map_err(failed)?;
    let source = Source::listener(listener).map_err(failed)?;
    on_ready();
    let done = run(&source, Some(&stop), options.max_commands);
    let _ = fs::remove_file(&options.socket);
    done.map_err(ExecError::io("the agent cannot go on"))
}

fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another agent serves it"));
        }
        fs::remove_file(path)?;
    }
    // made under another name with its final permissions, so that nobody connects in between
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let early = path.with_file_name(name);
    let _ = fs::remove_file(&early);
    let listener = UnixListener::bind(&early)?;
    fs::set_permissions(&early, fs::Permissions::from_mode(mode))?;
    fs::rename(&early, path)?;
    Ok(listener)
}

/// A descriptor that can be read when SIGTERM or SIGINT has come.
fn stop_signal() -> io::Result<OwnedFd> {
    use tokio::signal::unix::{SignalKind, signal};
    let (readable, writable) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        drop(writable);
    })?;
    Ok(readable)
}

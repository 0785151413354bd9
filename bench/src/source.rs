//! Plays a clip in real time into a named pipe, stdout or an Icecast mount, with a stamp around each write.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::clip::{Clip, Mode};
use crate::clock::now_ns;
use crate::reel::Reel;

/// Where the stream goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// A named pipe, opened when somebody reads it.
    Fifo(PathBuf),
    /// This process's stdout.
    Stdout,
    /// `PUT /bench.ts` at an Icecast server, by the given base64 of `source:password`.
    Icecast(SocketAddr, String),
}

/// A clip that plays in a thread until this is dropped or the reader goes away.
pub struct Source {
    stop: Arc<AtomicBool>,
    late: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Source {
    /// Begins to play, in a loop.
    pub fn start(clip: Arc<Clip>, mode: Mode, target: Target) -> Self {
        Self::numbered(clip, mode, target, 0)
    }

    /// Begins to play, in a loop, with stamps that count from `seq`.
    pub fn numbered(clip: Arc<Clip>, mode: Mode, target: Target, seq: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicU64::new(0));
        let (stopped, lateness) = (Arc::clone(&stop), Arc::clone(&late));
        let thread = thread::spawn(move || {
            let reel = Reel::numbered(&clip, seq);
            play(&clip, reel, mode, &target, &stopped, &lateness)
        });
        Self { stop, late, thread: Some(thread) }
    }

    /// The longest that a write was held up by its reader, in nanoseconds.
    pub fn longest_write_ns(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// Waits until the reader has gone, and says why playing ended.
    pub fn join(mut self) -> Result<()> {
        self.thread.take().map_or(Ok(()), |t| t.join().unwrap_or(Ok(())))
    }

    /// Why it ended early, if it did.
    pub fn error(&mut self) -> Option<anyhow::Error> {
        self.thread.take_if(|t| t.is_finished())?.join().ok()?.err()
    }
}

impl Drop for Source {
    /// A write that blocks ends when its server is dropped: drop that first.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

fn play(
    clip: &Clip,
    mut reel: Reel<'_>,
    mode: Mode,
    target: &Target,
    stop: &AtomicBool,
    late: &AtomicU64,
) -> Result<()> {
    let Some(mut out) = open(target, stop)? else { return Ok(()) };
    let writes = clip.writes(mode);
    let start = now_ns();
    for round in 0_u64.. {
        for w in &writes {
            let due = start + round * clip.duration_ns() + w.at_ns;
            while let Some(left) = due.checked_sub(now_ns()).filter(|l| *l > 0) {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                thread::sleep(Duration::from_nanos(left.min(50_000_000)));
            }
            let began = now_ns();
            if let Err(e) = out.write_all(reel.assemble(w, round, began)) {
                ensure!(stop.load(Ordering::Relaxed), "writing the stream: {e}");
                return Ok(());
            }
            late.fetch_max(now_ns() - began, Ordering::Relaxed);
        }
    }
    Ok(())
}

type Out = Box<dyn io::Write>;

fn open(target: &Target, stop: &AtomicBool) -> Result<Option<Out>> {
    match target {
        Target::Stdout => Ok(Some(Box::new(File::from(io::stdout().as_fd().try_clone_to_owned()?)))),
        Target::Fifo(path) => Ok(open_fifo(path, stop)?.map(|f| Box::new(f) as Out)),
        Target::Icecast(addr, auth) => Ok(Some(Box::new(put(*addr, auth)?))),
    }
}

/// Opens without blocking until somebody reads, then blocks in writes as ffmpeg does.
fn open_fifo(path: &Path, stop: &AtomicBool) -> Result<Option<File>> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    loop {
        match OpenOptions::new().write(true).custom_flags(nonblocking).open(path) {
            Ok(file) => {
                let flags = fcntl_getfl(&file)?;
                fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
                return Ok(Some(file));
            }
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {}
            Err(e) => return Err(e).with_context(|| format!("opening {}", path.display())),
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn put(addr: SocketAddr, auth: &str) -> Result<TcpStream> {
    let mut s = TcpStream::connect(addr).context("connecting to icecast2")?;
    s.set_nodelay(true)?;
    s.set_read_timeout(Some(Duration::from_secs(5)))?;
    s.set_write_timeout(Some(Duration::from_secs(5)))?;
    let head = format!(
        "PUT /bench.ts HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Basic {auth}\r\nContent-Type: video/mp2t\r\n\
         Ice-Public: 0\r\nExpect: 100-continue\r\n\r\n"
    );
    s.write_all(head.as_bytes())?;
    let mut answer = [0; 512];
    let n = s.read(&mut answer)?;
    let answer = String::from_utf8_lossy(answer.get(..n).unwrap_or_default()).into_owned();
    ensure!(answer.contains(" 100 ") || answer.contains(" 200 "), "icecast2 refused the source: {answer}");
    Ok(s)
}

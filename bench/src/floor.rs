//! The floor: the least a server can do. Reads up to 64 KiB, sends that to each viewer, drops what would block.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use slab::Slab;

const LISTENER: Token = Token(usize::MAX - 1);
const INPUT: Token = Token(usize::MAX - 2);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n";

struct Floor {
    poll: Poll,
    listener: TcpListener,
    waiting: Slab<(TcpStream, bool)>,
    watching: Vec<usize>,
    dropped: u64,
}

fn input(path: Option<&Path>) -> Result<File> {
    if let Some(path) = path {
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
        return opened.with_context(|| format!("opening {}", path.display()));
    }
    let stdin: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned()?;
    fcntl_setfl(&stdin, fcntl_getfl(&stdin)? | OFlags::NONBLOCK)?;
    Ok(File::from(stdin))
}

/// Serves a named pipe, or stdin, until it is killed or stdin ends.
pub fn run(addr: SocketAddr, path: Option<&Path>) -> Result<()> {
    crate::limits::raise_files()?;
    let mut input = input(path)?;
    let poll = Poll::new()?;
    let mut listener = TcpListener::bind(addr)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let fd = input.as_raw_fd();
    let registered = poll.registry().register(&mut SourceFd(&fd), INPUT, Interest::READABLE);
    registered.context("the input must be a pipe")?;
    let mut floor = Floor { poll, listener, waiting: Slab::new(), watching: Vec::new(), dropped: 0 };
    let mut events = Events::with_capacity(1024);
    let mut buf = vec![0; 65_536];
    loop {
        match floor.poll.poll(&mut events, None) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(),
                INPUT => {
                    let ended = floor.pump(&mut input, &mut buf)?;
                    if ended && path.is_none() {
                        eprintln!("dropped {} bytes", floor.dropped);
                        return Ok(());
                    }
                }
                Token(i) => floor.readable(i),
            }
        }
    }
}

impl Floor {
    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let _ = stream.set_nodelay(true);
            let slot = self.waiting.vacant_entry();
            let token = Token(slot.key());
            if self.poll.registry().register(&mut stream, token, Interest::READABLE).is_ok() {
                slot.insert((stream, false));
            }
        }
    }

    fn readable(&mut self, i: usize) {
        let Some((stream, watching)) = self.waiting.get_mut(i) else { return };
        let mut request = [0; 4096];
        match stream.read(&mut request) {
            Ok(n) if n > 0 && !*watching => {
                *watching = true;
                let _ = send(&*stream, HEAD, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
                self.watching.push(i);
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Ok(n) if n > 0 => {}
            _ => self.remove(i),
        }
    }

    fn remove(&mut self, i: usize) {
        self.watching.retain(|w| *w != i);
        self.waiting.try_remove(i);
    }

    /// True when the writer has closed its end.
    fn pump(&mut self, input: &mut File, buf: &mut [u8]) -> Result<bool> {
        loop {
            let n = match input.read(buf) {
                Ok(0) => return Ok(true),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e.into()),
            };
            self.send_all(buf.get(..n).unwrap_or_default());
            if n < buf.len() {
                return Ok(false); // it was emptied; the next write is a new event
            }
        }
    }

    fn send_all(&mut self, chunk: &[u8]) {
        let mut gone = Vec::new();
        for &i in &self.watching {
            let Some((stream, _)) = self.waiting.get(i) else { continue };
            match send(stream, chunk, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => self.dropped += (chunk.len() - sent) as u64,
                Err(Errno::AGAIN) => self.dropped += chunk.len() as u64,
                Err(_) => gone.push(i),
            }
        }
        for i in gone {
            self.remove(i);
        }
    }
}

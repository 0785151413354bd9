//! A plain TCP socket as a sink.

use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpStream,
    time::Duration,
};

use bytes::Bytes;
use socket2::SockRef;

use super::Sink;

/// A viewer over plain TCP.
#[derive(Debug)]
pub struct PlainSink {
    socket: mio::net::TcpStream,
}

/// A peer that acknowledges nothing for this long is gone. The kernel counts a window that stays shut, too, so it is more
/// than what a stalled viewer is allowed.
const USER_TIMEOUT: Duration = Duration::from_secs(75);
/// A viewer has nothing to say. One that sends more than this at once, in bytes, would keep the shard busy with it.
const MOST_NOISE: usize = 256 << 10;
/// Slices per write.
const SLICES: usize = 16;

/// Bounds what the kernel queues for a viewer: at most `budget` bytes unsent, about twice that in all.
pub fn bound_socket(socket: &SockRef<'_>, budget: usize) {
    // A socket that refuses works all the same, less tightly.
    let _ = socket.set_tcp_notsent_lowat(u32::try_from(budget).unwrap_or(u32::MAX));
    let _ = socket.set_send_buffer_size(budget);
}

/// Sets what every viewer's socket has: no delay, a user timeout, non-blocking.
pub fn prepare_socket(socket: &TcpStream) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    SockRef::from(socket).set_tcp_user_timeout(Some(USER_TIMEOUT))
}

impl PlainSink {
    /// Takes over a connected socket whose request was read.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        prepare_socket(&socket)?;
        Ok(Self { socket: mio::net::TcpStream::from_std(socket) })
    }
}

impl Sink for PlainSink {
    fn write(&mut self, parts: &[Bytes]) -> io::Result<usize> {
        let sent = if let [one] = parts {
            self.socket.write(one)?
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            for (slice, part) in slices.iter_mut().zip(parts) {
                *slice = IoSlice::new(part);
            }
            self.socket.write_vectored(slices.get(..parts.len().min(SLICES)).unwrap_or_default())?
        };
        if sent == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(sent) }
    }

    fn drain(&mut self) -> io::Result<bool> {
        let mut nobody_reads = [0; 4096];
        let mut noise = 0;
        loop {
            match self.socket.read(&mut nobody_reads) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    noise += read;
                    if noise > MOST_NOISE {
                        return Ok(false);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn source(&mut self) -> Option<&mut mio::net::TcpStream> {
        Some(&mut self.socket)
    }

    fn unacknowledged(&self) -> u64 {
        use std::os::fd::AsFd;
        millrace_sys::unacknowledged(self.socket.as_fd()).unwrap_or(0)
    }

    fn set_budget(&mut self, bytes: usize) {
        bound_socket(&SockRef::from(&self.socket), bytes);
    }
}

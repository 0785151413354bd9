//! Where connections come from.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use crate::fdpass;

/// Where connections come from.
pub(crate) enum Source {
    /// One client that sends each connection as a descriptor; its end is ours.
    Client(OwnedFd),
    /// Whoever connects.
    Listener(UnixListener),
}

/// What came.
pub(crate) enum Next {
    Connection(OwnedFd),
    Nothing,
    End,
}

impl Source {
    pub(crate) fn client(socket: OwnedFd) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&socket)?;
        rustix::fs::fcntl_setfl(&socket, flags | rustix::fs::OFlags::NONBLOCK)?;
        Ok(Self::Client(socket))
    }

    pub(crate) fn listener(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Listener(listener))
    }

    /// Takes what is there, without waiting.
    pub(crate) fn next(&self) -> Next {
        match self {
            Self::Client(socket) => {
                let mut fds = Vec::new();
                match fdpass::receive(socket, &mut [0], &mut fds) {
                    Ok(0) => Next::End,
                    Ok(_) => fds.pop().map_or(Next::Nothing, Next::Connection),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Next::Nothing,
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => Next::Nothing,
                    Err(_) => Next::End,
                }
            }
            Self::Listener(listener) => match listener.accept() {
                Ok((connection, _)) => Next::Connection(connection.into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Next::Nothing,
                Err(_) => {
                    // out of descriptors, most likely: some will be free again
                    std::thread::sleep(std::time::Duration::from_millis(10));
                    Next::Nothing
                }
            },
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Client(socket) => socket.as_fd(),
            Self::Listener(listener) => listener.as_fd(),
        }
    }
}

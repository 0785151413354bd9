//! Bytes with descriptors over a Unix socket. What is received is close-on-exec from the first moment.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::message::MAX_FDS;

const SPACE: usize = rustix::cmsg_space!(ScmRights(MAX_FDS));

/// Sends what the socket takes of `bytes`, with `fds`, which go with the first byte. Returns how much it took.
pub(crate) fn send(
    socket: impl AsFd,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> rustix::io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(rustix::io::Errno::TOOBIG);
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags | SendFlags::NOSIGNAL)
}

/// As [`send`], until all is sent.
pub(crate) fn send_all(socket: impl AsFd, mut bytes: &[u8], mut fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    while !bytes.is_empty() {
        match send(&socket, bytes, fds, SendFlags::empty()) {
            Ok(sent) => {
                bytes = bytes.get(sent..).unwrap_or_default();
                fds = &[];
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Receives once. Returns the number of bytes, 0 at the end of the stream; descriptors are added to `fds`, of
/// which there are never more than a message may have.
pub(crate) fn receive(socket: impl AsFd, bytes: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            done => break done?,
        }
    };
    let cut = message.flags.contains(ReturnFlags::CTRUNC);
    for control in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = control {
            fds.extend(received);
        }
    }
    if cut || fds.len() > MAX_FDS {
        fds.clear();
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {MAX_FDS} descriptors")));
    }
    Ok(message.bytes)
}

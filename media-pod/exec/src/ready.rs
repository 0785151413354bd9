//! Waiting for descriptors.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, Timespec, poll};
use rustix::fs::OFlags;

/// Waits for one of them, at most `timeout`. It may return without a reason.
pub(crate) fn wait(fds: &mut [PollFd<'_>], timeout: Option<Duration>) {
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    // an interruption is a wake-up without a reason
    let _ = poll(fds, timeout.as_ref());
}

/// Whether something happened to it: bytes, or its end.
pub(crate) fn is_ready(fd: Option<&PollFd<'_>>) -> bool {
    fd.is_some_and(|fd| !fd.revents().is_empty())
}

pub(crate) fn set_nonblocking(fd: &OwnedFd) -> rustix::io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)
}

//! The few kernel calls no safe crate offers. The only crate of the workspace with `unsafe` in it.
#![deny(missing_docs)]

use std::{io, os::fd::AsFd};

use rustix::ioctl::{Getter, Opcode, ioctl};

/// `SIOCOUTQ`, the same number as `TIOCOUTQ` (tcp(7)).
const SIOCOUTQ: Opcode = 0x5411;

/// Bytes of a TCP socket that the peer has not acknowledged yet, those not sent yet included.
pub fn unacknowledged(socket: impl AsFd) -> io::Result<u64> {
    // SAFETY: SIOCOUTQ writes one C int through its argument (tcp(7)).
    #[allow(unsafe_code, reason = "the kernel interface has no safe wrapper")]
    let queued: i32 = unsafe { ioctl(socket, Getter::<SIOCOUTQ, i32>::new()) }?;
    Ok(u64::from(queued.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    #[test]
    fn what_the_peer_has_not_read_is_counted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_peer, _) = listener.accept().unwrap();
        assert_eq!(super::unacknowledged(&socket).unwrap(), 0);
        socket.set_nonblocking(true).unwrap();
        let chunk = vec![0; 1 << 16];
        while socket.write(&chunk).is_ok() {}
        assert!(super::unacknowledged(&socket).unwrap() > 1 << 15);
    }
}

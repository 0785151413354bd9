//! Where a viewer's bytes go.

use std::io;

use bytes::Bytes;

/// The way out to one viewer. Never blocks.
pub trait Sink: Send {
    /// Takes as much of `parts`, in order, as there is room for. Gives the bytes taken, at least one;
    /// [`io::ErrorKind::WouldBlock`] where there is no room, and then the shard hears of new room by the source's
    /// `WRITABLE` event or the [`super::Poke`] given to [`Sink::poked_by`].
    fn write(&mut self, parts: &[Bytes]) -> io::Result<usize>;

    /// Sends what the sink itself still holds (TLS records). True: nothing is left.
    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// Something came from the viewer, or it hung up. Reads and drops what came, as much as there is.
    /// False: it hung up.
    fn drain(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// The socket to poll for `READABLE` and `WRITABLE`, where there is one.
    fn source(&mut self) -> Option<&mut mio::net::TcpStream> {
        None
    }

    /// For sinks without a source: how to tell the shard that there is room again, or that the viewer is gone.
    fn poked_by(&mut self, _poke: super::Poke) {}

    /// Bytes that the viewer has not acknowledged yet, as far as the sink can tell.
    fn unacknowledged(&self) -> u64 {
        0
    }

    /// At most about this many bytes may wait in the kernel: half a second of the stream, or 128 KiB.
    fn set_budget(&mut self, _bytes: usize) {}

    /// The last call: whatever the protocol says at an orderly end. `orderly` is false where the viewer is thrown out.
    fn close(&mut self, _orderly: bool) {}
}

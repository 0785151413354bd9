//! Buffers for reading pipes: one allocation serves several reads, each read's bytes are shared without a copy.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::net::unix::pipe;

/// What one read takes at most, in bytes: what a pipe holds.
pub const READ: usize = 64 << 10;
const SLAB: usize = 256 << 10;

/// See the module.
#[derive(Debug, Default)]
pub struct ReadBuffer(BytesMut);

impl ReadBuffer {
    /// The next bytes of `pipe`, as many as one read gives; empty at its end. Cancel safe.
    pub async fn read(&mut self, pipe: &pipe::Receiver) -> io::Result<Bytes> {
        loop {
            pipe.readable().await?;
            if self.0.capacity() - self.0.len() < READ {
                self.0 = BytesMut::with_capacity(SLAB);
            }
            match pipe.try_read_buf(&mut (&mut self.0).limit(READ)) {
                Ok(_) => return Ok(self.0.split().freeze()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }
}

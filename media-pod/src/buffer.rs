//! Buffers for reading pipes: one allocation serves several reads, each read's bytes are shared without a copy.

use std::io::{self, Read};

use bytes::{Bytes, BytesMut};

/// What one read takes at most, in bytes: what a pipe holds.
pub const READ: usize = 64 << 10;
const SLAB: usize = 256 << 10;

/// See the module.
#[derive(Debug, Default)]
pub struct ReadBuffer(BytesMut);

impl ReadBuffer {
    /// The next bytes of `pipe`, as many as one read gives; empty at its end.
    pub fn read(&mut self, pipe: &mut (impl Read + ?Sized)) -> io::Result<Bytes> {
        if self.0.len() < READ {
            self.0 = BytesMut::zeroed(SLAB);
        }
        loop {
            match pipe.read(self.0.get_mut(..READ).unwrap_or_default()) {
                Ok(read) => return Ok(self.0.split_to(read).freeze()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_once_whatever_the_reads_give() {
        let all: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        let (mut rest, mut buffer, mut got) = (all.as_slice(), ReadBuffer::default(), Vec::new());
        loop {
            let mut some = rest.take(70_001);
            let bytes = buffer.read(&mut some).unwrap();
            rest = &rest[bytes.len()..];
            if bytes.is_empty() {
                break;
            }
            got.extend_from_slice(&bytes);
        }
        assert_eq!(got, all);
    }
}

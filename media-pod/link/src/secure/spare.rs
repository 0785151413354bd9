//! Memory of sealed packets, used again: what was written once need not be cleared.

/// Packets below this are not worth keeping, bytes.
const LEAST: usize = 4096;
/// Buffers that are kept: about what is written at once.
const MOST: usize = 8;

/// A sealed packet, in memory that may be longer.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    buffer: Vec<u8>,
    used: usize,
}

impl Sealed {
    /// The packet.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or(&self.buffer)
    }

    /// Its memory, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let used = self.used.min(self.buffer.len());
        self.buffer.get_mut(..used).unwrap_or_default()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<Vec<u8>>);

impl Spare {
    /// Memory for a packet of this size. What is in it is anything.
    pub fn take(&mut self, size: usize) -> Sealed {
        let mut buffer = if size < LEAST { Vec::new() } else { self.0.pop().unwrap_or_default() };
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        Sealed { buffer, used: size }
    }

    /// A packet that nobody needs any more.
    pub fn put(&mut self, sealed: Sealed) {
        if sealed.buffer.len() >= LEAST && self.0.len() < MOST {
            self.0.push(sealed.buffer);
        }
    }
}

//! Reading pipes: into one buffer per thread, which stays in the processor's cache, and from there into exactly as much
//! memory as came. So a chunk that is kept keeps nothing but itself, and no read touches memory for the first time.

use std::{
    cell::RefCell,
    io::{self, Read},
};

use bytes::Bytes;

/// What one read takes at most, in bytes: what a pipe holds.
pub const READ: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// The next bytes of `pipe`, as many as one read gives; empty at its end.
pub fn read(pipe: &mut (impl Read + ?Sized)) -> io::Result<Bytes> {
    BUFFER.with_borrow_mut(|buffer| {
        loop {
            match pipe.read(buffer) {
                Ok(read) => return Ok(Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default())),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    })
}

/// Lets the allocator keep up to 32 MiB that were freed, instead of giving them back and asking for them again whenever a
/// group of pictures is replaced: glibc takes the size of the largest block it ever unmapped for its threshold
/// (mallopt(3), `M_MMAP_THRESHOLD`). Elsewhere it does nothing.
pub fn keep_freed_memory() {
    drop(std::hint::black_box(vec![0_u8; 16 << 20]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_once_whatever_the_reads_give() {
        let all: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        let (mut rest, mut got) = (all.as_slice(), Vec::new());
        loop {
            let bytes = read(&mut rest.take(30_001)).unwrap();
            rest = &rest[bytes.len()..];
            if bytes.is_empty() {
                break;
            }
            got.extend_from_slice(&bytes);
        }
        assert_eq!(got, all);
    }
}

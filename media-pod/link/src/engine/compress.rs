//! LZ4, where it helps.

use bytes::Bytes;

/// Messages below this many bytes are left alone.
const MIN_LEN: usize = 128;
/// Failures in a row after which it is off.
const PATIENCE: u32 = 3;
/// Messages that are not tried after that: at first, and at most.
const FIRST_PAUSE: u32 = 32;
const LONGEST_PAUSE: u32 = 4096;

/// Decides for each message of one channel whether to compress it. What does not shrink by a sixteenth is sent as it
/// is; after three such in a row compression pauses, and each time that a later try fails, twice as long.
#[derive(Clone, Debug)]
pub struct Compressor {
    enabled: bool,
    misses: u32,
    pause: u32,
    skip: u32,
}

/// A block that is not what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the compressed data is corrupt")]
pub struct CorruptBlock;

impl Compressor {
    /// On, or off for good.
    pub fn new(enabled: bool) -> Self {
        Self { enabled, misses: 0, pause: FIRST_PAUSE, skip: 0 }
    }

    /// Whether the next message is worth a try.
    pub fn wants(&mut self, len: usize) -> bool {
        if !self.enabled || len < MIN_LEN {
            return false;
        }
        self.skip = self.skip.saturating_sub(1);
        self.skip == 0
    }

    /// Compresses, if that helps: original size `u32`, then the block.
    pub fn compress(&mut self, message: &[u8]) -> Option<Bytes> {
        let out = lz4_flex::block::compress_prepend_size(message);
        if out.len() <= message.len() - message.len() / 16 {
            self.misses = 0;
            self.pause = FIRST_PAUSE;
            return Some(out.into());
        }
        self.misses += 1;
        if self.misses >= PATIENCE {
            self.skip = self.pause;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        None
    }
}

/// The size that a compressed message will have.
pub fn original_size(message: &[u8]) -> Option<usize> {
    message.first_chunk().map(|size| u32::from_le_bytes(*size) as usize)
}

/// The message that was compressed; never more than `max` bytes.
pub fn decompress(message: &[u8], max: usize) -> Result<Bytes, CorruptBlock> {
    let (size, block) = message.split_first_chunk::<4>().ok_or(CorruptBlock)?;
    let size = u32::from_le_bytes(*size) as usize;
    if size > max {
        return Err(CorruptBlock);
    }
    let mut out = vec![0; size];
    let written = lz4_flex::block::decompress_into(block, &mut out).map_err(|_| CorruptBlock)?;
    if written == size { Ok(out.into()) } else { Err(CorruptBlock) }
}

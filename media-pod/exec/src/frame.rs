//! Frames on a stream socket: four bytes of length, most significant first, then so many bytes of JSON.

use serde::Serialize;

/// The largest frame that anybody sends or takes, in bytes, without its length field.
pub(crate) const MAX_FRAME: usize = 1 << 20;

const HEADER: usize = 4;

/// A frame that cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of {size} bytes, at most {most} are allowed")]
    TooLong { size: usize, most: usize },
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The bytes of `message` as one frame of at most `most` bytes.
pub(crate) fn encode<T: Serialize>(message: &T, most: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; HEADER];
    serde_json::to_writer(&mut bytes, message)?;
    let size = bytes.len() - HEADER;
    if size > most {
        return Err(FrameError::TooLong { size, most });
    }
    for (to, from) in bytes.iter_mut().zip((size as u32).to_be_bytes()) {
        *to = from;
    }
    Ok(bytes)
}

/// Cuts a byte stream into frames. It holds at most one frame more than what was pushed at once.
#[derive(Debug)]
pub(crate) struct Decoder {
    bytes: Vec<u8>,
    most: usize,
}

impl Decoder {
    pub(crate) fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, if it is there; an error as soon as a length field is out of bounds.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let Some((header, rest)) = self.bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let size = u32::from_be_bytes(*header) as usize;
        if size > self.most {
            return Err(FrameError::TooLong { size, most: self.most });
        }
        let Some(frame) = rest.get(..size).map(<[u8]>::to_vec) else { return Ok(None) };
        self.bytes.drain(..HEADER + size);
        Ok(Some(frame))
    }

    /// What came after the last frame taken.
    pub(crate) fn into_rest(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_comes_byte_by_byte_is_whole_at_its_last_byte() {
        let bytes = encode(&"hello", MAX_FRAME).unwrap();
        let mut decoder = Decoder::new(MAX_FRAME);
        for byte in bytes.iter().take(bytes.len() - 1) {
            decoder.push(&[*byte]);
            assert!(decoder.next_frame().unwrap().is_none());
        }
        decoder.push(&bytes[bytes.len() - 1..]);
        decoder.push(b"TK");
        assert_eq!(decoder.next_frame().unwrap().unwrap(), b"\"hello\"");
        assert_eq!(decoder.into_rest(), b"TK");
    }

    #[test]
    fn a_length_past_the_bound_is_refused_before_anything_is_read() {
        let mut decoder = Decoder::new(10);
        decoder.push(&[0, 0, 0, 11]);
        assert!(matches!(decoder.next_frame(), Err(FrameError::TooLong { size: 11, most: 10 })));
        assert!(encode(&"0123456789", 10).is_err());
    }
}

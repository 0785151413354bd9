//! Messages on a wire: each is its length in bytes (32 bits, big endian), then JSON. No I/O here.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

/// The longest message, in bytes, without its length.
pub const LARGEST: usize = 16 << 20;
const HEAD: usize = 4;

/// What is wrong with a message. After it nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// It is too long.
    #[error("a message of {length} bytes, where {limit} are the most")]
    Length {
        /// Its length, in bytes.
        length: usize,
        /// The most that are taken.
        limit: usize,
    },
    /// It is no message of ours.
    #[error("not a message of the status connection: {0}")]
    Json(#[from] serde_json::Error),
}

/// A message as it goes over the wire.
///
/// # Errors
/// Where it is longer than [`LARGEST`].
pub fn encode<T: Serialize>(message: &T) -> Result<Bytes, FrameError> {
    let mut frame = BytesMut::with_capacity(256);
    frame.put_u32(0);
    let mut writer = frame.writer();
    serde_json::to_writer(&mut writer, message)?;
    let mut frame = writer.into_inner();
    let length = frame.len().saturating_sub(HEAD);
    let too_long = FrameError::Length { length, limit: LARGEST };
    let Some(counted) = u32::try_from(length).ok().filter(|_| length <= LARGEST) else {
        return Err(too_long);
    };
    if let Some(head) = frame.get_mut(..HEAD) {
        head.copy_from_slice(&counted.to_be_bytes());
    }
    Ok(frame.freeze())
}

/// Finds messages in what is read. Keeps no more than one message and what was pushed last.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    limit: usize,
}

impl Decoder {
    /// Takes messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    /// Takes messages of at most `limit` bytes from now on.
    pub fn limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message; nothing until all of it is there.
    ///
    /// # Errors
    /// Where it is too long (as soon as its length is there), or no message.
    pub fn message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<HEAD>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > self.limit {
            return Err(FrameError::Length { length, limit: self.limit });
        }
        let Some(json) = self.buffer.get(HEAD..HEAD + length) else { return Ok(None) };
        let message = serde_json::from_slice(json);
        self.buffer.advance(HEAD + length);
        Ok(Some(message?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        message::{Balancing, Beat, Configuration, Doing, ToOperator, ToPod},
        upstream::UpstreamLink,
    };

    fn sample() -> Vec<u8> {
        let feeds = [("door".to_owned(), Doing::default())].into();
        let upstreams = Some([("eu".to_owned(), UpstreamLink::away("refused"))].into());
        let balancer = Some(Balancing { upstreams, ..Balancing::default() });
        let beat = ToOperator::Beat(Beat { revision: 3, feeds: Some(feeds), balancer, ..Beat::default() });
        let configuration = Configuration {
            revision: 4,
            yaml: "kind: Feed\n".to_owned(),
            secrets: String::new(),
            template: String::new(),
        };
        [encode(&beat).unwrap(), encode(&ToPod::Configuration(configuration.into())).unwrap()].concat()
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let bytes = sample();
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::new(LARGEST);
            decoder.push(&bytes[..cut]);
            let first = decoder.message::<ToOperator>().unwrap();
            decoder.push(&bytes[cut..]);
            let first = first.or_else(|| decoder.message().unwrap());
            assert!(matches!(first, Some(ToOperator::Beat(Beat { revision: 3, .. }))), "{first:?}");
            let second = decoder.message::<ToPod>().unwrap();
            assert!(matches!(second, Some(ToPod::Configuration(new)) if new.revision == 4));
            assert!(decoder.message::<ToPod>().unwrap().is_none());
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_by_its_length_alone() {
        let mut decoder = Decoder::new(LARGEST);
        decoder.push(&(16_777_217_u32).to_be_bytes());
        assert!(matches!(decoder.message::<ToPod>(), Err(FrameError::Length { length: 16_777_217, .. })));
        let long = ToPod::Refused { reason: "x".repeat(LARGEST) };
        assert!(matches!(encode(&long), Err(FrameError::Length { .. })));
    }

    #[test]
    fn real_messages_with_any_bit_flipped_or_cut_anywhere_are_read_without_a_panic() {
        let bytes = sample();
        for at in 0..bytes.len() {
            crate::fuzz::frames(&bytes[..at]);
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                crate::fuzz::frames(&flipped);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            crate::fuzz::frames(&bytes);
        }

        #[test]
        fn any_json_is_read_without_a_panic(text in r#"[\[\]{}",:a-zA-Z0-9 ]{0,80}"#) {
            let mut bytes = (text.len() as u32).to_be_bytes().to_vec();
            bytes.extend_from_slice(text.as_bytes());
            crate::fuzz::frames(&bytes);
        }
    }
}

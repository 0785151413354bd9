//! The status connection: what a media pod and the operator tell each other.
//!
//! A media pod ([`client`]) holds one to every replica of the operator ([`server`]), over TLS ([`tls`]), and beats on
//! each once a second. The operator's leader answers with configurations and the directory; the others only listen.
//! A message ([`message`]) is JSON behind its length ([`frame`]).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod client;
pub mod frame;
pub mod link;
pub mod message;
pub mod server;
pub mod tls;
pub mod token;
pub mod upstream;

mod wire;

/// Entries for fuzzers: each takes any bytes and must come back.
#[cfg(any(test, fuzzing))]
pub mod fuzz {
    use crate::{
        frame::{Decoder, LARGEST},
        message::{ToOperator, ToPod},
    };

    /// What either end reads, in two pieces cut where the first byte says.
    pub fn frames(bytes: &[u8]) {
        let cut = bytes.first().map_or(0, |byte| usize::from(*byte)).min(bytes.len());
        let (mut pod, mut operator) = (Decoder::new(LARGEST), Decoder::new(4096));
        for piece in [bytes.get(..cut), bytes.get(cut..)] {
            let piece = piece.unwrap_or_default();
            pod.push(piece);
            while let Ok(Some(message)) = pod.message::<ToPod>() {
                let _ = format!("{message:?}");
            }
            operator.push(piece);
            while let Ok(Some(message)) = operator.message::<ToOperator>() {
                let _ = format!("{message:?}");
            }
        }
    }
}

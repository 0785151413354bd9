//! Messages on channel `A`. Nobody answers them but for a code when they make no sense.

use bytes::Bytes;

use super::message::Request;
use crate::wire::{Code, TsdWriter, tag};

/// How the receiver of content sees the link. Wire: lost `u64`, received `u64`, jitter `u32` and latency `u32` in
/// microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Content packets that are missing.
    pub lost: u64,
    /// Content packets that came.
    pub received: u64,
    /// Jitter, microseconds.
    pub jitter: u32,
    /// Time there and back, microseconds.
    pub latency: u32,
}

/// What a member tells another about a session (or, with session 0, about the link).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// 1: link quality control.
    Quality(Quality),
    /// 2: metadata, as `name=value`.
    Metadata(Vec<(String, String)>),
    /// 3: send nothing more until told.
    Pause,
    /// 4: go on.
    Resume,
    /// 5: no new sessions: this side is about to go.
    GoingAway,
}

impl Signal {
    /// The bytes.
    pub fn encode(&self, session: u32) -> Bytes {
        let out = TsdWriter::new();
        let (op, args) = match self {
            Self::Quality(quality) => (1, out.with(tag::LINK_QUALITY, &quality.encode())),
            Self::Metadata(pairs) => {
                let pair = |out: TsdWriter, (name, value): &(String, String)| {
                    out.with(tag::METADATA, format!("{name}={value}").as_bytes())
                };
                (2, pairs.iter().fold(out, pair))
            }
            Self::Pause => (3, out),
            Self::Resume => (4, out),
            Self::GoingAway => (5, out),
        };
        Request::encode(op, 0, session, args)
    }

    /// Reads it: session and signal.
    pub fn decode(request: &Request) -> Result<(u32, Self), Code> {
        let signal = match request.op {
            1 => {
                let quality = request.args.get(tag::LINK_QUALITY).and_then(|bytes| Quality::decode(bytes));
                Self::Quality(quality.ok_or(Code::ARG_INCORRECT)?)
            }
            2 => {
                let pairs = request.args.iter().filter(|section| section.tag == tag::METADATA);
                let pair = |bytes: &[u8]| {
                    let (name, value) = std::str::from_utf8(bytes).ok()?.split_once('=')?;
                    Some((name.to_owned(), value.to_owned()))
                };
                let pairs: Option<_> = pairs.map(|section| pair(&section.data)).collect();
                Self::Metadata(pairs.ok_or(Code::ARG_INCORRECT)?)
            }
            3 => Self::Pause,
            4 => Self::Resume,
            5 => Self::GoingAway,
            _ => return Err(Code::ARG_INCORRECT),
        };
        Ok((request.session, signal))
    }
}

impl Quality {
    /// The 24 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        out.extend_from_slice(&self.lost.to_le_bytes());
        out.extend_from_slice(&self.received.to_le_bytes());
        out.extend_from_slice(&self.jitter.to_le_bytes());
        out.extend_from_slice(&self.latency.to_le_bytes());
        out
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (lost, rest) = bytes.split_first_chunk()?;
        let (received, rest) = rest.split_first_chunk()?;
        let (jitter, rest) = rest.split_first_chunk()?;
        Some(Self {
            lost: u64::from_le_bytes(*lost),
            received: u64::from_le_bytes(*received),
            jitter: u32::from_le_bytes(*jitter),
            latency: u32::from_le_bytes(rest.try_into().ok()?),
        })
    }
}

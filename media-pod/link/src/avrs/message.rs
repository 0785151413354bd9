//! The head of messages on `S`, `C` and `A`, and of returns on `r`.

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::{ChannelType, Code, Sections, TsdWriter, tag};

/// Bytes of a request's head.
pub const REQUEST_LEN: usize = 12;
/// Bytes of a return's head.
pub const RETURN_LEN: usize = 16;

/// A message that asks for something: operation `u8`, three zero bytes, request `u32`, session `u32`, sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked; the numbers depend on the channel.
    pub op: u8,
    /// Number of the request, chosen by the asker, repeated in the return.
    pub request: u32,
    /// Session; zero where there is none.
    pub session: u32,
    /// Arguments.
    pub args: Sections,
}

/// What became of a request, on `r`: code `u32`, channel `u8`, operation `u8`, two zero bytes, request `u32`, session
/// `u32`, sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// What became of it.
    pub code: Code,
    /// The channel it came on.
    pub channel: ChannelType,
    /// What was asked.
    pub op: u8,
    /// Number of the request.
    pub request: u32,
    /// Session.
    pub session: u32,
    /// Results, or [`tag::TEXT`] about the failure.
    pub results: Sections,
}

impl Request {
    /// The bytes.
    pub fn encode(op: u8, request: u32, session: u32, args: TsdWriter) -> Bytes {
        let args = args.finish();
        let mut out = BytesMut::with_capacity(REQUEST_LEN + args.len());
        out.put_slice(&[op, 0, 0, 0]);
        out.put_u32_le(request);
        out.put_u32_le(session);
        out.put_slice(&args);
        out.freeze()
    }

    /// Reads it; the arguments are slices.
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let &[op, _, _, _, r0, r1, r2, r3, s0, s1, s2, s3] = bytes.first_chunk::<REQUEST_LEN>()?;
        Some(Self {
            op,
            request: u32::from_le_bytes([r0, r1, r2, r3]),
            session: u32::from_le_bytes([s0, s1, s2, s3]),
            args: Sections::parse(bytes.slice(REQUEST_LEN..)).ok()?,
        })
    }
}

impl Return {
    /// The bytes of a return to a request.
    pub fn encode(code: Code, channel: ChannelType, to: (u8, u32, u32), results: TsdWriter) -> Bytes {
        let (op, request, session) = to;
        let results = results.finish();
        let mut out = BytesMut::with_capacity(RETURN_LEN + results.len());
        out.put_u32_le(code.0);
        out.put_slice(&[channel.0, op, 0, 0]);
        out.put_u32_le(request);
        out.put_u32_le(session);
        out.put_slice(&results);
        out.freeze()
    }

    /// The bytes of a failure, with a word about it.
    pub fn failure(code: Code, channel: ChannelType, to: (u8, u32, u32), text: &str) -> Bytes {
        Self::encode(code, channel, to, TsdWriter::new().with(tag::TEXT, text.as_bytes()))
    }

    /// Reads it; the results are slices.
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let &[c0, c1, c2, c3, channel, op, _, _, r0, r1, r2, r3, s0, s1, s2, s3] =
            bytes.first_chunk::<RETURN_LEN>()?;
        Some(Self {
            code: Code(u32::from_le_bytes([c0, c1, c2, c3])),
            channel: ChannelType(channel),
            op,
            request: u32::from_le_bytes([r0, r1, r2, r3]),
            session: u32::from_le_bytes([s0, s1, s2, s3]),
            results: Sections::parse(bytes.slice(RETURN_LEN..)).ok()?,
        })
    }
}

//! Containers and codecs as they pass by: units, headers, random access points. No I/O.
//!
//! A [`Sniffer`] looks at the bytes of a live container in whatever pieces they arrive, holds none of them back
//! and copies no payload; what it says is positions ([`Marks`](millrace_bus::Marks)), the
//! [`Format`](millrace_bus::Format) and the [`Header`](millrace_bus::Header). A [`Pacer`] turns the timestamps it
//! saw into waits, for a file that is to be read at the speed of its media.
//!
//! Everything here is bounded: a header is at most 1 MiB, a section 4 KiB, and sizes that the bytes claim are
//! never allocated before so many bytes have come.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod clock;
mod container;
mod detect;
mod flv;
mod found;
mod frames;
mod mkv;
mod mp4;
mod mpjpeg;
mod ogg;
mod pacer;
mod read;
mod sniffer;
mod ts;
mod walk;

pub use clock::MediaTime;
pub use pacer::Pacer;
pub use sniffer::Sniffer;

/// Fuzz entry: every container's parser over the same bytes, whole and in pieces. Must not panic.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    sniffer::fuzz(data);
}

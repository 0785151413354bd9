//! The front door: HTTP in, streams handed to the egress shards.
//!
//! A [`FrontDoor`] listens, reads each request head itself and asks a [`Site`] what stands at the path. A `GET` for a
//! stream over HTTP/1.x takes the socket out of tokio: its response head and everything after it is written by an
//! egress shard, close-delimited, in the clear or through rustls. Everything else is hyper's, with the bytes already
//! read put back in front; streams that are reached that way (HTTP/2, a second request on a connection) are served
//! through a bounded queue.
//!
//! What a viewer may ask for is documented at [`parse_query`]. The response head of a stream says `Connection: close`,
//! `Cache-Control: no-store`, `Access-Control-Allow-Origin: *`, and, after `?keyframe=last` where a random access point
//! was cached, `Millrace-Picture-Age: 1.234`: the seconds by which the first picture is behind.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod accept;
mod activity;
mod cache;
mod certificates;
mod connection;
mod counters;
mod credentials;
mod date;
mod door;
mod error;
mod fetch;
mod forward;
mod head;
mod hyper_side;
mod leash;
mod liveness;
mod options;
mod point;
mod publish;
mod query;
mod queue;
mod read_head;
mod reception;
mod reply;
mod reply_body;
mod rewind;
mod seat;
mod service;
mod shared;
mod site;
mod summary;
mod takeover;
mod target;
mod tls_sink;
mod transport;
mod upstream;
mod viewers;

#[cfg(fuzzing)]
pub use cache::fuzz_cache;
pub use cache::{CacheFigures, CacheResult, EdgeCache, Scope, has_tag};
pub use certificates::{CertificateError, Certificates};
pub use counters::Counts;
pub use door::FrontDoor;
pub use error::HttpError;
#[cfg(fuzzing)]
pub use fetch::fuzz_answer;
pub use fetch::{FetchError, Fetched, fetch};
#[cfg(fuzzing)]
pub use head::fuzz_head;
pub use options::Options;
pub use point::{Denial, Point, Sender, Sent, Taking};
pub use query::{QueryError, parse_query};
pub use site::{
    Access, AccessRequest, BoxFuture, Credentials, Duplex, Forward, Guest, Opened, Opening, PageRequest,
    Peek, Refusal, Refused, Site, Source,
};
pub use target::decode;
pub use viewers::ViewerInfo;

/// What one media pod shows to another, so that it is known as one: see [`Site::forward`] and [`fetch`].
pub const RELAY: http::HeaderName = http::HeaderName::from_static("millrace-relay");

//! Chunks from one publisher to any number of viewers, without a lock or a copy on the way.
//!
//! ```
//! use bytes::Bytes;
//! use millrace_bus::{Channel, GopCache, Join, Marks, Subscriber};
//!
//! let channel = Channel::new("door", GopCache::default());
//! let mut publisher = channel.publisher().expect("nobody else publishes");
//! publisher.begin(0, None);
//! publisher.set_format(None);
//! let subscriber = Subscriber::new(channel.join(Join::default()), false);
//! publisher.publish(Bytes::from_static(b"at once"), Marks::default());
//! # drop(subscriber);
//! ```
//!
//! A [`Channel`] has one [`Publisher`]; what it publishes is linked into a chain of chunks, so a reader's place is one
//! pointer and publishing writes two. Readers are relays: a [`Subscriber`] is a task, an [`egress::Egress`] shard a
//! thread that serves any number of viewers.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(loom, allow(dead_code, reason = "the egress, which has sockets, is left out of the models"))]

mod channel;
mod demand;
#[cfg(not(loom))]
pub mod egress;
mod follow;
mod format;
mod generation;
mod gop;
mod join;
mod marks;
mod node;
mod publisher;
mod qos;
mod relay;
mod subscriber;
mod sync;

#[cfg(test)]
#[cfg(loom)]
mod models;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;

pub use channel::Channel;
pub use follow::{End, Piece, Place};
pub use format::{Container, Format, Header, Track, TrackKind};
pub use generation::Generation;
pub use gop::GopCache;
pub use join::{Join, Joined, RandomAccess, Start};
pub use marks::{Marks, Units};
pub use publisher::Publisher;
pub use qos::Qos;
pub use relay::Relay;
pub use subscriber::Subscriber;

//! The packet, channel and session protocol between pods and for native clients.
//!
//! Layers, lowest first: [`wire`] (numbers and headers), [`engine`] (a link without I/O), [`secure`] (handshake and
//! seals), [`avrs`] (sessions, content, cluster), [`net`] (tokio: TCP, TLS, WebSocket, pools). `docs/link.md` is the
//! protocol for who wants to write a peer in another language.
//!
//! ```no_run
//! use millrace_link::net::connect_tcp;
//! use millrace_link::wire::{ChannelType, Role};
//! use millrace_link::{Config, Side};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let link = connect_tcp("127.0.0.1:8444", Config::clear(Side::Dialer, Role::SERVER)).await?;
//! let media = link.open_channel(ChannelType::MEDIA).await?;
//! media.send("hello".into()).await?; // waits while the other side does not read
//! println!("{:?}, {:?}", media.recv().await?, link.stats());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod avrs;
pub mod client;
pub mod engine;
#[cfg(any(test, fuzzing))]
mod fuzz;
pub mod net;
pub mod secure;
pub mod wire;

use std::time::Duration;

pub use engine::{CloseReason, Config, Core, Event, OpenError, Outgoing, PacketIn, Security, SendError};
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_parsers;
pub use wire::{ChannelId, ChannelType, Code, Notice, OpenOptions, Role};

/// Silence after which the other side is dead (`STREAM_KEEPALIVE_TIMEOUT`).
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that connected.
    Dialer,
    /// The one that was connected to.
    Acceptor,
}

impl Side {
    /// The other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Acceptor,
            Self::Acceptor => Self::Dialer,
        }
    }
}

//! Where to listen, and the bounds.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::Certificates;

/// Options of a [`crate::FrontDoor`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen for plain HTTP. Port 0: any that is free, see [`crate::FrontDoor::http_addrs`].
    pub http: Vec<SocketAddr>,
    /// Where to listen for HTTPS; needs [`Options::certificates`].
    pub https: Vec<SocketAddr>,
    /// What to show over TLS. Can be replaced while the front door is open.
    pub certificates: Option<Arc<Certificates>>,
    /// Connections that may be open at once, viewers included; one more gets 503. Default 10,000.
    pub max_connections: usize,
    /// A request head must be there whole within this time. Default 10 s.
    pub head_timeout: Duration,
    /// A TLS handshake must be done within this time. Default 10 s.
    pub handshake_timeout: Duration,
    /// A connection on which nothing is going on is closed after this time. Default 30 s.
    pub idle_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            http: Vec::new(),
            https: Vec::new(),
            certificates: None,
            max_connections: 10_000,
            head_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
        }
    }
}

//! Links over TCP.

use std::io;

use tokio::net::{TcpStream, ToSocketAddrs};

use super::link::Link;
use crate::Config;

/// Dials an address.
pub async fn connect_tcp(address: impl ToSocketAddrs, config: Config) -> io::Result<Link> {
    accept_tcp(TcpStream::connect(address).await?, config)
}

/// Takes a connection that was accepted (or dialed).
pub fn accept_tcp(stream: TcpStream, config: Config) -> io::Result<Link> {
    stream.set_nodelay(true)?;
    Link::start(stream, config).map_err(io::Error::other)
}

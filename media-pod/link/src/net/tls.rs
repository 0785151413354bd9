//! Links over TLS. The handshake of the link is bound to that of TLS, so nobody between two TLS connections can pass
//! one on to the other.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::link::Link;
use crate::{Config, Security};

/// RFC 9266, section 4.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// Makes a dialed connection a TLS client and begins a link.
pub async fn connect_tls(
    stream: TcpStream,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    mut config: Config,
) -> io::Result<Link> {
    stream.set_nodelay(true)?;
    let stream = TlsConnector::from(tls).connect(name, stream).await?;
    let binding = stream.get_ref().1.export_keying_material([0; 32], EXPORTER, Some(&[]));
    bind(&mut config, binding)?;
    Link::start(stream, config).map_err(io::Error::other)
}

/// Makes an accepted connection a TLS server and begins a link.
pub async fn accept_tls(stream: TcpStream, tls: Arc<ServerConfig>, mut config: Config) -> io::Result<Link> {
    stream.set_nodelay(true)?;
    let stream = TlsAcceptor::from(tls).accept(stream).await?;
    let binding = stream.get_ref().1.export_keying_material([0; 32], EXPORTER, Some(&[]));
    bind(&mut config, binding)?;
    Link::start(stream, config).map_err(io::Error::other)
}

fn bind(config: &mut Config, binding: Result<[u8; 32], rustls::Error>) -> io::Result<()> {
    let binding = binding.map_err(io::Error::other)?;
    if let Security::Handshake(credentials) = &mut config.security {
        credentials.binding = Bytes::copy_from_slice(&binding);
    }
    Ok(())
}

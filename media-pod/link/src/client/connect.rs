//! Dials an address.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Address, ClientError, Options, Transport};
use crate::net::{Link, accept_tcp, connect_tls, connect_websocket};
use crate::secure::Secrecy;
use crate::secure::handshake::Credentials;
use crate::wire::Role;
use crate::{Config, Security, Side};

/// A link to what stands at an address, both handshakes done.
pub async fn connect(address: &Address, options: &Options) -> Result<Link, ClientError> {
    Ok(connect_known(address, options).await?.0)
}

/// As [`connect`], and where the other side is.
pub async fn connect_known(address: &Address, options: &Options) -> Result<(Link, SocketAddr), ClientError> {
    let failed = |cause| ClientError::Connect { address: address.to_string(), cause };
    let tls = match (&options.tls, address.transport.is_secure()) {
        (None, true) => return Err(ClientError::NoTls(address.to_string())),
        (tls, _) => tls.clone(),
    };
    let connecting = async {
        let (link, peer) = dial(address, options, tls).await?;
        link.ready().await.map_err(|why| io::Error::other(why.to_string()))?;
        Ok((link, peer))
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time");
    timeout(options.patience, connecting).await.map_err(late).and_then(|done| done).map_err(failed)
}

async fn dial(
    address: &Address,
    options: &Options,
    tls: Option<Arc<rustls::ClientConfig>>,
) -> io::Result<(Link, SocketAddr)> {
    let socket = TcpStream::connect((address.host.as_str(), address.port)).await?;
    let peer = socket.peer_addr()?;
    socket.set_nodelay(true)?;
    let config = config(options, address.transport.is_secure());
    let name = || ServerName::try_from(address.host.clone()).map_err(io::Error::other);
    let uri = |scheme: &str| format!("{scheme}://{}{}", address.place(), address.raw_path);
    let link = match (address.transport, tls) {
        (Transport::Tls, Some(tls)) => connect_tls(socket, name()?, tls, config).await,
        (Transport::SecureWebSocket, Some(tls)) => {
            let stream = TlsConnector::from(tls).connect(name()?, socket).await?;
            connect_websocket(stream, &uri("wss"), config).await
        }
        (Transport::WebSocket, _) => connect_websocket(socket, &uri("ws"), config).await,
        _ => accept_tcp(socket, config),
    };
    Ok((link?, peer))
}

fn config(options: &Options, secure: bool) -> Config {
    let credentials = Credentials {
        key: options.key.clone(),
        role: Role::CLIENT,
        grant: Bytes::new(),
        trust: options.trust.clone(),
        secrecy: if secure { Secrecy::Transport } else { Secrecy::Packets },
        binding: Bytes::new(),
    };
    let mut config = Config::new(Side::Dialer, Security::Handshake(credentials));
    // Media does not shrink.
    config.compress = false;
    config
}

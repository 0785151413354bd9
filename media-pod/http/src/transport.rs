//! What a connection runs over.

use std::io;

use millrace_bus::egress::{PlainSink, Sink};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::tls_sink::TlsSink;

/// A byte stream that can leave tokio.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// What it becomes on an egress shard.
    type Sink: Sink + 'static;

    /// What both ends of a TLS connection know and nobody else does (RFC 9266); none without TLS.
    fn binding(&self) -> Option<[u8; 32]>;

    /// What was received and not read is lost.
    fn into_sink(self) -> io::Result<Self::Sink>;
}

impl Transport for TcpStream {
    type Sink = PlainSink;

    fn binding(&self) -> Option<[u8; 32]> {
        None
    }

    fn into_sink(self) -> io::Result<PlainSink> {
        PlainSink::new(self.into_std()?)
    }
}

impl Transport for TlsStream<TcpStream> {
    type Sink = TlsSink;

    fn binding(&self) -> Option<[u8; 32]> {
        self.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[])).ok()
    }

    fn into_sink(self) -> io::Result<TlsSink> {
        let (socket, session) = self.into_inner();
        TlsSink::new(socket.into_std()?, session)
    }
}

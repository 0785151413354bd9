//! Links over WebSocket: the same bytes in binary messages, whose limits mean nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::link::Link;
use crate::Config;

/// What a dialer asks for in `Sec-WebSocket-Protocol` and an acceptor answers.
pub const SUBPROTOCOL: &str = "millrace-link.v1";
/// Bytes of one message at most.
const MAX_MESSAGE: usize = 256 * 1024;

/// A WebSocket as a stream of bytes.
#[derive(Debug)]
pub struct WebSocket<S> {
    inner: WebSocketStream<S>,
    rest: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes a WebSocket that is open.
    pub fn new(inner: WebSocketStream<S>) -> Self {
        Self { inner, rest: Bytes::new() }
    }
}

/// Dials: `stream` is connected (and made TLS, for `wss`), `uri` is what to ask for, as `ws://host/path`.
pub async fn connect_websocket<S>(stream: S, uri: &str, config: Config) -> io::Result<Link>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = uri.into_client_request().map_err(broken)?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let (inner, _) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(limits())).await.map_err(broken)?;
    Link::start(WebSocket::new(inner), config).map_err(io::Error::other)
}

/// Takes a connection that an HTTP server has answered `101 Switching Protocols` on (with [`SUBPROTOCOL`]).
pub async fn accept_upgraded<S>(stream: S, config: Config) -> io::Result<Link>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = WebSocketStream::from_raw_socket(stream, Role::Server, Some(limits())).await;
    Link::start(WebSocket::new(inner), config).map_err(io::Error::other)
}

/// Takes a connection whose request for a WebSocket is still to be read, and answers it.
pub async fn accept_websocket<S>(stream: S, config: Config) -> io::Result<Link>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = accept_hdr_async_with_config(stream, Choose, Some(limits())).await.map_err(broken)?;
    Link::start(WebSocket::new(inner), config).map_err(io::Error::other)
}

/// Answers with [`SUBPROTOCOL`], where that is among what is offered.
struct Choose;

impl Callback for Choose {
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
        let named = |value: &HeaderValue| value.to_str().is_ok_and(speaks_link);
        if offers.iter().any(named) {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(Some(format!("{SUBPROTOCOL} is spoken here\n")));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        Err(refusal)
    }
}

/// Whether [`SUBPROTOCOL`] is among those that a header `Sec-WebSocket-Protocol` says.
pub fn speaks_link(offered: &str) -> bool {
    offered.split(',').any(|name| name.trim() == SUBPROTOCOL)
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE * 4))
        .max_frame_size(Some(MAX_MESSAGE * 4))
        .max_write_buffer_size(MAX_MESSAGE * 4)
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::other(other),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // Pings are answered by the WebSocket itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Ok(_)) => return Poll::Ready(Err(io::Error::other("a link has binary messages only"))),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
        let count = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.inner).poll_ready(cx)).map_err(broken)?;
        let total: usize = bufs.iter().map(|buf| buf.len()).sum();
        let mut message = BytesMut::with_capacity(total.min(MAX_MESSAGE));
        for buf in bufs {
            let room = MAX_MESSAGE - message.len();
            message.extend_from_slice(buf.get(..room).unwrap_or(buf));
        }
        let count = message.remaining();
        Pin::new(&mut self.inner).start_send(Message::Binary(message.freeze())).map_err(broken)?;
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx).map_err(broken)
    }
}

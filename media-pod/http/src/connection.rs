//! One connection, from its first byte to where it belongs.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Guest, Opening, Refused,
    head::BadHead,
    hyper_side,
    liveness::ACCEPTED,
    publish,
    read_head::{First, read_head},
    reply,
    rewind::Rewind,
    shared::{LAST_WORDS, Phase, Place, Shared},
    takeover::{self, Request},
    transport::Transport,
};

/// Who is at the other end.
#[derive(Clone)]
pub(crate) struct Visit {
    pub shared: Arc<Shared>,
    pub peer: SocketAddr,
    pub secure: bool,
}

/// Serves a connection to an address for plain HTTP.
pub(crate) async fn plain(visit: Visit, socket: TcpStream, place: Place) {
    if ACCEPTED.watch(&socket).is_ok() {
        begin(visit, socket, place).await;
    }
}

/// Serves a connection to an address for HTTPS.
pub(crate) async fn secure(visit: Visit, socket: TcpStream, tls: TlsAcceptor, place: Place) {
    if ACCEPTED.watch(&socket).is_err() {
        return;
    }
    let limit = visit.shared.options.handshake_timeout;
    let handshake = timeout(limit, Box::pin(handshake(&tls, socket)));
    let accepted = tokio::select! {
        accepted = handshake => accepted.ok(),
        () = visit.shared.reached(Phase::Draining) => return,
    };
    match accepted {
        Some(Handshake::Done(stream)) => {
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                Box::pin(hyper_side::serve(visit, *stream, place)).await;
            } else {
                begin(visit, *stream, place).await;
            }
        }
        Some(Handshake::Nothing) => {}
        Some(Handshake::NotTls(socket)) => {
            visit.shared.refused(visit.peer, Refused::Handshake);
            let response =
                reply::text(StatusCode::BAD_REQUEST, "This port is for HTTPS: use an https:// address.");
            visit.shared.answered(response.status(), visit.peer, "");
            say_and_close(socket, &response, &Method::GET).await;
        }
        Some(Handshake::Failed(error)) => {
            tracing::debug!(peer = %visit.peer, %error, "TLS handshake failed");
            visit.shared.refused(visit.peer, Refused::Handshake);
        }
        None => visit.shared.refused(visit.peer, Refused::Handshake),
    }
}

enum Handshake {
    Done(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    /// It hung up before its first byte.
    Nothing,
    /// Plain HTTP, most likely.
    NotTls(TcpStream),
    Failed(io::Error),
}

async fn handshake(tls: &TlsAcceptor, socket: TcpStream) -> Handshake {
    /// Of TLS records (RFC 8446, 5.1): the first one is a handshake.
    const RECORD: u8 = 22;
    let mut first = [0];
    match socket.peek(&mut first).await {
        Ok(0) | Err(_) => return Handshake::Nothing,
        Ok(_) if first != [RECORD] => return Handshake::NotTls(socket),
        Ok(_) => {}
    }
    match tls.accept(socket).await {
        Ok(stream) => Handshake::Done(Box::new(stream)),
        Err(error) => Handshake::Failed(error),
    }
}

async fn begin<S: Transport>(visit: Visit, mut stream: S, place: Place) {
    let first = tokio::select! {
        first = read_head(&mut stream, visit.shared.options.head_timeout) => first,
        () = visit.shared.reached(Phase::Draining) => return,
    };
    let (mut head, bytes) = match first {
        First::Nothing => return,
        First::Late => return turn_away(&visit, stream, Refused::HeadTimeout).await,
        First::Bad(BadHead::TooLarge) => return turn_away(&visit, stream, Refused::HeadTooLarge).await,
        First::Foreign(bytes) if visit.shared.site.takes(&Opening::Bytes(&bytes)) => {
            return Box::pin(guest(visit, bytes, stream, false, place)).await;
        }
        First::Foreign(_) | First::Bad(BadHead::NotHttp) => {
            return turn_away(&visit, stream, Refused::BadRequest).await;
        }
        First::Http2(bytes) => (None, bytes),
        First::Http1(head, bytes) => (Some(head), bytes),
    };
    let asked = head.as_ref().and_then(|head| head.websocket.as_deref());
    if asked.is_some_and(|protocols| visit.shared.site.takes(&Opening::WebSocket(protocols))) {
        return Box::pin(guest(visit, bytes, stream, true, place)).await;
    }
    let sends = head.as_ref().is_some_and(|head| publish::sends(&head.method));
    if let Some(head) = head.take_if(|head| sends && head.unmeasured)
        && let Some(point) = visit.shared.site.point(&head.target.path)
    {
        let first = bytes.slice(head.length.min(bytes.len())..);
        return Box::pin(publish::until_end(visit, head, first, stream, point, place)).await;
    }
    if let Some(head) = head.filter(|head| head.alone && !sends)
        && let Some(source) = visit.shared.site.stream(&head.target.path)
    {
        drop(bytes);
        return Box::pin(takeover::serve(Request { visit, head, source, place }, stream)).await;
    }
    Box::pin(hyper_side::serve(visit, Rewind::new(bytes, stream), place)).await;
}

async fn guest<S: Transport>(visit: Visit, bytes: Bytes, stream: S, websocket: bool, place: Place) {
    let Visit { shared, peer, secure } = visit;
    let binding = stream.binding();
    let stream = Box::new(Rewind::new(bytes, stream));
    let serving = shared.site.clone().guest(Guest { stream, websocket, peer, secure, binding });
    tokio::select! {
        () = serving => {}
        () = shared.reached(Phase::Closed) => {}
    }
    drop(place);
}

async fn turn_away<S: Transport>(visit: &Visit, stream: S, why: Refused) {
    let (status, sentence) = match why {
        Refused::HeadTimeout => (StatusCode::REQUEST_TIMEOUT, "The request did not come in time."),
        Refused::HeadTooLarge => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "The request head is larger than 16 KiB or has more than 100 fields.",
        ),
        _ => (StatusCode::BAD_REQUEST, "This is not an HTTP request."),
    };
    visit.shared.refused(visit.peer, why);
    visit.shared.answered(status, visit.peer, "");
    say_and_close(stream, &reply::text(status, sentence), &Method::GET).await;
}

/// Sends a last response, and waits a little for the peer to take it: closing a socket in which something unread waits
/// would take the response back.
pub(crate) async fn say_and_close<S>(mut stream: S, response: &Response<Bytes>, method: &Method)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bytes = reply::write_whole(response, method);
    let saying = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await?;
        let mut nobody_reads = [0; 1024];
        let mut left = 256_usize << 10;
        while left > 0 {
            match stream.read(&mut nobody_reads).await? {
                0 => break,
                some => left = left.saturating_sub(some),
            }
        }
        io::Result::Ok(())
    };
    // Whoever does not listen need not.
    let _ = timeout(LAST_WORDS, saying).await;
}

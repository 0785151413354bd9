//! Takes connections in.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Method, StatusCode, header::RETRY_AFTER};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Refused,
    connection::{self, Visit, say_and_close},
    counters::count,
    reply,
    shared::{LAST_WORDS, Phase, Shared},
};

/// Waits after an error of the machine: no file descriptors, no memory.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// Accepts until the front door drains.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
) {
    let mut wait = SHORTEST;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.reached(Phase::Draining) => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                wait = SHORTEST;
                count(&shared.counters.connections);
                admit(&shared, socket, peer, tls.as_ref());
            }
            // That connection's own trouble (accept(2)).
            Err(e) if is_of_the_connection(&e) => {}
            Err(e) => {
                shared.accept_failed(address, &e);
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST);
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn admit(shared: &Arc<Shared>, socket: TcpStream, peer: SocketAddr, tls: Option<&TlsAcceptor>) {
    let visit = Visit { shared: shared.clone(), peer, secure: tls.is_some() };
    let Some(place) = shared.enter() else {
        shared.refused(peer, Refused::TooManyConnections);
        tokio::spawn(refuse(visit, socket, tls.cloned()));
        return;
    };
    match tls {
        None => tokio::spawn(connection::plain(visit, socket, place)),
        Some(tls) => tokio::spawn(connection::secure(visit, socket, tls.clone(), place)),
    };
}

/// Says that there is no room, where not too many are being told so already.
async fn refuse(visit: Visit, socket: TcpStream, tls: Option<TlsAcceptor>) {
    let Ok(_permit) = visit.shared.refusals.try_acquire() else { return };
    let mut response = reply::text(
        StatusCode::SERVICE_UNAVAILABLE,
        "As many connections as are allowed are open. Try again later.",
    );
    response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from_static("5"));
    visit.shared.counters.response(response.status());
    match tls {
        None => say_and_close(socket, &response, &Method::GET).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(LAST_WORDS, Box::pin(tls.accept(socket))).await
                && stream.get_ref().1.alpn_protocol() != Some(b"h2")
            {
                say_and_close(stream, &response, &Method::GET).await;
            }
        }
    }
}

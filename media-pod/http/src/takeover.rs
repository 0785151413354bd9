//! A stream over HTTP/1.x: the connection leaves tokio, and its egress shard writes everything.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    Opened, Peek, Refusal, Source,
    connection::{Visit, say_and_close},
    head::Head,
    read_head::hung_up,
    reception::{Asked, Decision, ask, decide},
    reply,
    seat::{Arrival, seat},
    shared::{Phase, Place},
    transport::Transport,
};

/// A request for a stream, with nothing after its head.
pub(crate) struct Request {
    pub visit: Visit,
    pub head: Box<Head>,
    pub source: Arc<dyn Source>,
    pub place: Place,
}

pub(crate) async fn serve<S: Transport>(request: Request, mut stream: S) {
    let Request { visit, head, source, place } = request;
    let Visit { shared, peer, secure } = visit;
    let asked = Asked {
        method: &head.method,
        target: &head.target,
        credentials: head.credentials.as_ref(),
        peer,
        secure,
        relay: head.relay.as_deref(),
    };
    let answer = |response: Response<Bytes>| {
        shared.answered(response.status(), peer, "");
        tracing::debug!(%peer, method = %head.method, path = ?head.target.path, status = response.status().as_u16(), "stream");
        response
    };
    let access = tokio::select! {
        biased;
        access = ask(&*shared.site, &asked) => access,
        () = hung_up(&mut stream) => return,
        () = shared.reached(Phase::Closed) => return,
    };
    let (source, join) = match decide(&*shared.site, &asked, Some(source), access) {
        Decision::Watch { source, join } => (source, join),
        Decision::Answer(response) => return say_and_close(stream, &answer(response), &head.method).await,
        Decision::Peek(peek) => {
            let response = reply::stream(&peek).map(|()| Bytes::new());
            return say_and_close(stream, &answer(response), &head.method).await;
        }
        // Only where there is no source.
        Decision::Page => return,
    };
    let opened = tokio::select! {
        opened = source.open(join) => opened,
        () = hung_up(&mut stream) => {
            tracing::debug!(%peer, path = ?head.target.path, "hung up before the stream began");
            return;
        }
        () = shared.reached(Phase::Closed) => return,
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(refusal) => {
            log_refusal(&refusal, peer, &head.target.path);
            return say_and_close(stream, &answer(reply::refusal(&refusal)), &head.method).await;
        }
    };
    let sink = match stream.into_sink() {
        Ok(sink) => sink,
        Err(error) => {
            tracing::debug!(%peer, %error, "the connection broke before the stream began");
            return;
        }
    };
    shared.counters.response(StatusCode::OK);
    let response = reply::stream(&peek(&opened));
    let bytes = reply::write_head(response.status(), response.headers()).freeze();
    let protocol = protocol(head.minor, secure);
    let Head { target, user_agent, .. } = *head;
    let arrival = Arrival { peer, path: target.path, protocol, user_agent, place: Some(place) };
    seat(&shared, arrival, opened, bytes, sink);
}

/// What the response head says of a stream.
pub(crate) fn peek(opened: &Opened) -> Peek {
    Peek { content_type: Some(opened.content_type.clone()), age: opened.joined.age }
}

pub(crate) fn log_refusal(refusal: &Refusal, peer: std::net::SocketAddr, path: &str) {
    tracing::info!(%peer, ?path, status = refusal.status.as_u16(), reason = refusal.reason, "viewer refused");
}

pub(crate) fn protocol(minor: u8, secure: bool) -> &'static str {
    match (minor, secure) {
        (0, false) => "http/1.0",
        (_, false) => "http/1.1",
        (0, true) => "https/1.0",
        (_, true) => "https/1.1",
    }
}

//! Requests that send content: PUT and POST to a [`Point`](crate::Point).

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{
    Method, Response, StatusCode,
    header::{CONTENT_TYPE, EXPECT, USER_AGENT},
    request::Parts,
};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Sleep, sleep},
};

use crate::{
    BoxFuture, Credentials, Denial, Point, Refused, Sender, Sent,
    connection::{Visit, say_and_close},
    head::{Head, user_agent},
    reply,
    reply_body::Content,
    shared::{LAST_WORDS, Phase, Place},
    takeover::protocol,
    transport::Transport,
};

/// What is read at once of a body that ends with its connection.
const PIECE: usize = 64 << 10;
/// Bytes that are thrown away so that a refusal is heard.
const UNREAD: usize = 4 << 20;
/// Bytes of a piece that is copied.
const COPIED: usize = 4 << 10;

/// Whose body may be content.
pub(crate) fn sends(method: &Method) -> bool {
    matches!(*method, Method::PUT | Method::POST)
}

/// A request that hyper read.
pub(crate) async fn whole(
    visit: &Visit,
    parts: &Parts,
    protocol: &'static str,
    credentials: Option<Credentials>,
    point: Arc<dyn Point>,
    body: Incoming,
) -> Response<Content> {
    let agent = parts.headers.get(USER_AGENT).map_or_else(|| "".into(), |value| user_agent(value.as_bytes()));
    let sender = Sender { peer: visit.peer, protocol, user_agent: agent, credentials };
    let mut body = Measured(body);
    let taking = match point.admit(sender).await {
        Ok(taking) => taking,
        Err(denial) => {
            let response = denied(visit, denial);
            // Who asks before it sends has not begun.
            let asks = parts.headers.contains_key(EXPECT);
            return if asks {
                response.map(|text| Content::Whole(text.into()))
            } else {
                unread(response, body.0)
            };
        }
    };
    match taking.take(&mut body).await {
        Ok(()) => taken().map(|text| Content::Whole(text.into())),
        Err(refusal) => unread(denied(visit, Denial::Refused(refusal)), body.0),
    }
}

fn unread(response: Response<Bytes>, body: Incoming) -> Response<Content> {
    response.map(|text| Content::Unread(Box::new(Unread::new(text, body))))
}

/// A request over HTTP/1.x whose body has no length: it ends with the connection.
pub(crate) async fn until_end<S: Transport>(
    visit: Visit,
    head: Box<Head>,
    first: Bytes,
    mut stream: S,
    point: Arc<dyn Point>,
    place: Place,
) {
    let Visit { shared, peer, secure } = &visit;
    let sender = Sender {
        peer: *peer,
        protocol: protocol(head.minor, *secure),
        user_agent: head.user_agent.clone(),
        credentials: head.credentials.clone(),
    };
    let outcome = {
        let publishing = async {
            let taking = point.admit(sender).await?;
            if head.expects {
                // Of a connection that is broken nothing will come.
                let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
            }
            taking.take(&mut Unmeasured { first, stream: &mut stream }).await.map_err(Denial::Refused)
        };
        tokio::select! {
            outcome = publishing => outcome,
            () = shared.reached(Phase::Closed) => return,
        }
    };
    let response = match outcome {
        Ok(()) => taken(),
        Err(denial) => denied(&visit, denial),
    };
    shared.answered(response.status(), *peer, "");
    say_and_close(stream, &response, &head.method).await;
    drop(place);
}

fn taken() -> Response<Bytes> {
    let mut response = reply::text(StatusCode::NO_CONTENT, "");
    response.headers_mut().remove(CONTENT_TYPE);
    response.map(|_| Bytes::new())
}

fn denied(visit: &Visit, denial: Denial) -> Response<Bytes> {
    let (why, response) = match denial {
        Denial::Challenge => (Some(Refused::Unauthorized), reply::challenge("Millrace")),
        Denial::Forbidden(why) => (Some(Refused::Forbidden), reply::text(StatusCode::FORBIDDEN, &why)),
        Denial::Refused(refusal) => (None, reply::refusal(&refusal)),
    };
    if let Some(why) = why {
        visit.shared.site.refused(visit.peer, why);
    }
    response
}

/// A body of a length that is said, at once or in chunks.
struct Measured(Incoming);

impl Sent for Measured {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>> {
        Box::pin(async move {
            loop {
                let Some(frame) = self.0.frame().await else { return Ok(None) };
                match frame.map_err(io::Error::other)?.into_data() {
                    // A little of a large buffer would keep all of it.
                    Ok(data) if (1..COPIED).contains(&data.len()) => {
                        return Ok(Some(Bytes::copy_from_slice(&data)));
                    }
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    // Trailers say nothing of content.
                    Ok(_) | Err(_) => {}
                }
            }
        })
    }
}

struct Unmeasured<'a, S> {
    first: Bytes,
    stream: &'a mut S,
}

impl<S: Transport> Sent for Unmeasured<'_, S> {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>> {
        Box::pin(async move {
            if !self.first.is_empty() {
                return Ok(Some(std::mem::take(&mut self.first)));
            }
            let mut piece = BytesMut::with_capacity(PIECE);
            let read = self.stream.read_buf(&mut piece).await?;
            Ok((read > 0).then(|| piece.freeze()))
        })
    }
}

/// A refusal, after which what still comes is thrown away for a moment: closing a socket in which something unread waits
/// would take the refusal back.
pub(crate) struct Unread {
    text: Option<Bytes>,
    body: Incoming,
    left: usize,
    enough: Pin<Box<Sleep>>,
}

impl Unread {
    fn new(text: Bytes, body: Incoming) -> Self {
        Self { text: Some(text), body, left: UNREAD, enough: Box::pin(sleep(LAST_WORDS)) }
    }

    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        if let Some(text) = self.text.take() {
            return Poll::Ready(Some(Frame::data(text)));
        }
        loop {
            if self.left == 0 || self.enough.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.left = self.left.saturating_sub(frame.data_ref().map_or(1, Bytes::len));
                }
                Poll::Ready(None | Some(Err(_))) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

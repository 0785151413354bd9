//! Requests that another media pod of the Cluster answers.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{self, InvalidHeaderValue},
    request::Parts,
    uri::PathAndQuery,
};
use http_body_util::Empty;
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{task::AbortHandle, time::timeout};

use crate::{Forward, RELAY, upstream::connect};

/// For `Retry-After`, where the other one is not there: about what it takes to be replaced.
pub(crate) const AGAIN: Duration = Duration::from_secs(2);
/// A pod gives up a stream that gives nothing for 20 s; one that says nothing for longer is broken.
pub(crate) const HEAD: Duration = Duration::from_secs(30);
/// Bytes of the answer that are read ahead.
const BUFFER: usize = 64 << 10;
/// Where a request came from, all the way.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Of one connection only (RFC 9110, 7.6.1), or of a body that is not sent.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    HeaderName::from_static("http2-settings"),
];

#[derive(Debug, thiserror::Error)]
pub(crate) enum ForwardError {
    #[error("{0}")]
    Connect(#[from] io::Error),
    #[error("it does not speak HTTP/1.1")]
    Http(#[from] hyper::Error),
    #[error("it said nothing for 30 s")]
    Late,
    #[error("the request cannot be passed on")]
    Header(#[from] InvalidHeaderValue),
}

/// Asks the other one what `parts` ask, and gives its answer as it comes. Dropped, with the answer or before it, it ends the
/// connection.
pub(crate) async fn forward(
    peer: SocketAddr,
    parts: &Parts,
    to: &Forward,
) -> Result<Response<ForwardBody>, ForwardError> {
    let request = request(peer, parts, to)?;
    let socket = connect(&to.address).await?;
    let mut builder = http1::Builder::new();
    let (mut sender, connection) = builder.max_buf_size(BUFFER).handshake(TokioIo::new(socket)).await?;
    let upstream = Upstream(tokio::spawn(connection).abort_handle());
    let response = timeout(HEAD, sender.send_request(request)).await.map_err(|_| ForwardError::Late)??;
    let (mut head, incoming) = response.into_parts();
    strip(&mut head.headers);
    Ok(Response::from_parts(head, ForwardBody { incoming, _upstream: upstream }))
}

fn request(peer: SocketAddr, parts: &Parts, to: &Forward) -> Result<Request<Empty<Bytes>>, ForwardError> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = parts.method.clone();
    let path = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = path.into();
    let mut headers = parts.headers.clone();
    strip(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    if !headers.contains_key(header::HOST) {
        let host = parts.uri.authority().map_or(to.address.as_str(), |authority| authority.as_str());
        headers.insert(header::HOST, HeaderValue::from_str(host)?);
    }
    let before = headers.get_all(&FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let way: Vec<String> = before.map(str::to_owned).chain([peer.ip().to_canonical().to_string()]).collect();
    headers.insert(FORWARDED_FOR, HeaderValue::from_str(&way.join(", "))?);
    let mut relay = HeaderValue::from_str(&to.relay)?;
    relay.set_sensitive(true);
    headers.insert(RELAY, relay);
    *request.headers_mut() = headers;
    Ok(request)
}

/// Takes away what is not for the other side, and what `Connection` names as such.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in OF_THE_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}

/// A connection, until dropped.
#[derive(Debug)]
struct Upstream(AbortHandle);

impl Drop for Upstream {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the other one sends, no faster than it is taken.
#[derive(Debug)]
pub(crate) struct ForwardBody {
    incoming: Incoming,
    _upstream: Upstream,
}

impl Body for ForwardBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.incoming).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_the_connection_stays_here_and_the_rest_goes_on() {
        let mut asked = Request::new(());
        *asked.uri_mut() = "http://cam.lan/a%20b.ts?keyframe&x=%2F".parse().unwrap();
        for (name, value) in [
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("authorization", "Basic YTpi"),
            ("accept", "image/png"),
            ("millrace-relay", "forged"),
            ("x-forwarded-for", "192.0.2.1"),
        ] {
            asked.headers_mut().append(name, value.parse().unwrap());
        }
        let to = Forward { address: "10.0.0.7:9000".into(), relay: "token".into(), cache: None };
        let (parts, ()) = asked.into_parts();
        let request = request(([192, 0, 2, 9], 5).into(), &parts, &to).unwrap();
        assert_eq!(request.uri(), "/a%20b.ts?keyframe&x=%2F");
        let mut sent: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        sent.sort_unstable();
        assert_eq!(
            sent,
            [
                "accept: image/png",
                "authorization: Basic YTpi",
                "host: cam.lan",
                "millrace-relay: token",
                "x-forwarded-for: 192.0.2.1, 192.0.2.9",
            ]
        );
    }
}

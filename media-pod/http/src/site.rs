//! What stands behind the front door, as it sees it.

use std::{any::Any, fmt, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use millrace_bus::{Join, Joined};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Point, Scope};

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything that can be asked for at the front door. No method may block.
pub trait Site: Send + Sync + 'static {
    /// The stream at `path` (percent-decoded, begins with `/`, without the query). Called for every request: cheap.
    fn stream(&self, path: &str) -> Option<Arc<dyn Source>>;

    /// Where content can be sent to by PUT or POST at `path`, as [`Site::stream`] has it. Asked before it for requests of
    /// these methods; who may is for the point to say.
    fn point(&self, _path: &str) -> Option<Arc<dyn Point>> {
        None
    }

    /// Answers whatever is no stream, also with 404. Responses of status 404 are counted and logged in summary.
    /// All methods come here; `HEAD` is answered as `GET` and its body is left out.
    fn page(&self, request: PageRequest) -> BoxFuture<'static, Response<Bytes>>;

    /// Whether this request may be answered. Asked for streams and pages, before anything is opened.
    fn authorize(&self, _request: &AccessRequest<'_>) -> Access {
        Access::Granted
    }

    /// As [`Site::authorize`], asked instead of it where it gives something: for what is known elsewhere and takes time.
    /// Dropped before it is done where who asks hangs up.
    fn ask(&self, _request: &AccessRequest<'_>) -> Option<BoxFuture<'static, Access>> {
        None
    }

    /// Where a request for something that is not here is answered. Asked instead of [`Site::authorize`] where
    /// [`Site::stream`] gave nothing: who may do what is for the other one to say.
    fn forward(&self, _request: &AccessRequest<'_>) -> Option<Forward> {
        None
    }

    /// Whether a connection that begins so is for [`Site::guest`].
    fn takes(&self, _first: &Opening<'_>) -> bool {
        false
    }

    /// Serves a connection that speaks something else than HTTP, to its end. Dropped where the door closes.
    fn guest(self: Arc<Self>, _guest: Guest) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Somebody was turned away. For counting; the front door has logged it.
    fn refused(&self, _peer: SocketAddr, _why: Refused) {}
}

/// How a connection begins that is no request for a stream or a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening<'a> {
    /// With these bytes, which are no HTTP.
    Bytes(&'a [u8]),
    /// With a request for a WebSocket that speaks one of these, as its header says them.
    WebSocket(&'a str),
}

/// A stream of bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// A connection that speaks something else than HTTP.
pub struct Guest {
    /// All of its bytes from the first one on, also of the request for a WebSocket: that is still to be answered.
    pub stream: Box<dyn Duplex>,
    /// Whether it asked for a WebSocket.
    pub websocket: bool,
    /// Who it is.
    pub peer: SocketAddr,
    /// Whether it came over TLS.
    pub secure: bool,
    /// What both ends of the TLS connection know and nobody else does: `tls-exporter` of RFC 9266.
    pub binding: Option<[u8; 32]>,
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("peer", &self.peer)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}

/// One stream.
pub trait Source: Send + Sync {
    /// Takes a place in the stream, and starts whatever must run for that. Dropped before it is done where the
    /// viewer hangs up.
    fn open(self: Arc<Self>, join: Join) -> BoxFuture<'static, Result<Opened, Refusal>>;

    /// What [`Source::open`] would give, as far as it is known without starting anything: the answer to `HEAD`.
    fn peek(&self, _join: Join) -> Peek {
        Peek::default()
    }
}

/// A place in a stream.
pub struct Opened {
    /// Where the viewer begins.
    pub joined: Joined,
    /// Media type, for `Content-Type`. One that is no header value is sent as `application/octet-stream`.
    pub content_type: Arc<str>,
    /// How long to gather writes for; zero: each chunk at once.
    pub flush: Duration,
    /// Dropped when the viewer has left, on an egress thread: its drop must not block.
    pub hold: Box<dyn Any + Send>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("channel", self.joined.channel().name())
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// What is known of a stream that nobody opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peek {
    /// Media type.
    pub content_type: Option<Arc<str>>,
    /// How old the picture is that would come first.
    pub age: Option<Duration>,
}

/// Why a stream cannot be had now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Refusal {
    /// Of the response.
    pub status: StatusCode,
    /// A sentence for a person: the body of the response, as plain text.
    pub reason: String,
    /// For the header of that name, rounded up to seconds.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// 503 with `reason`, to be tried again after `retry_after`.
    pub fn unavailable(reason: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            reason: reason.into(),
            retry_after: Some(retry_after),
        }
    }
}

/// A request for something that is no stream. Bodies of requests are not read.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// `GET`, `HEAD` or anything else: what is not understood deserves 405.
    pub method: Method,
    /// Percent-decoded, begins with `/`.
    pub path: String,
    /// As it came, without the `?`.
    pub query: Option<String>,
    /// All of them but `Authorization`, which was dealt with.
    pub headers: HeaderMap,
    /// Who asks.
    pub peer: SocketAddr,
    /// Whether it came over TLS.
    pub secure: bool,
}

/// Who wants what, for [`Site::authorize`].
#[derive(Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    /// Who asks.
    pub peer: SocketAddr,
    /// What to do.
    pub method: &'a Method,
    /// With what: percent-decoded, begins with `/`.
    pub path: &'a str,
    /// As it came, without the `?`.
    pub query: Option<&'a str>,
    /// Whether this is a stream.
    pub stream: bool,
    /// Whether it came over TLS.
    pub secure: bool,
    /// What the `Authorization` header says, where it is basic authentication (RFC 7617) in UTF-8.
    pub credentials: Option<&'a Credentials>,
    /// What the header [`RELAY`](crate::RELAY) says.
    pub relay: Option<&'a [u8]>,
}

/// Another server that answers a request, see [`Site::forward`].
#[derive(Clone)]
pub struct Forward {
    /// Its host and port; it speaks plain HTTP/1.1.
    pub address: String,
    /// What to send it in the header [`RELAY`](crate::RELAY).
    pub relay: String,
    /// Where its answers may be kept.
    pub cache: Option<Scope>,
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A name and a password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Up to the first colon.
    pub user: String,
    /// After it.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// An answer of [`Site::authorize`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Go on.
    Granted,
    /// 401: a name and a password are needed, or others than these.
    Challenge {
        /// What they are for, shown by browsers.
        realm: String,
    },
    /// 403: not with any password.
    Forbidden,
    /// Nobody who knows can be asked now.
    Unknown(Refusal),
    /// 307: another server serves this one better, at this URL.
    Elsewhere(String),
}

/// Why somebody was turned away, for [`Site::refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// As many connections as are allowed are open: 503, or closed at once where there are too many of these, too.
    TooManyConnections,
    /// The request head was not there in time: 408.
    HeadTimeout,
    /// The request head is larger than allowed: 431.
    HeadTooLarge,
    /// No HTTP: 400.
    BadRequest,
    /// No TLS, or none that we speak, or too slow.
    Handshake,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyConnections => "too many connections",
            Self::HeadTimeout => "the request head took too long",
            Self::HeadTooLarge => "the request head is too large",
            Self::BadRequest => "not a request",
            Self::Handshake => "the TLS handshake failed",
            Self::Unauthorized => "no or wrong credentials",
            Self::Forbidden => "not allowed",
        })
    }
}

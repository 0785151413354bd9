//! Places that content can be sent to, as the front door sees them.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;

use crate::{BoxFuture, Credentials, Refusal};

/// Somewhere that content can be sent to, by one at a time.
pub trait Point: Send + Sync {
    /// Lets a publisher in, or says why not. Dropped before it is done where the publisher hangs up.
    fn admit(self: Arc<Self>, sender: Sender) -> BoxFuture<'static, Result<Box<dyn Taking>, Denial>>;
}

/// A publisher who was let in. Dropped, it has left.
pub trait Taking: Send {
    /// Takes all that comes, no faster than there is room for it. What is wrong ends it. Dropped where the publisher
    /// hangs up.
    fn take(self: Box<Self>, content: &mut dyn Sent) -> BoxFuture<'_, Result<(), Refusal>>;
}

/// What a publisher sends.
pub trait Sent: Send {
    /// What comes next, never empty; none at its orderly end. May be dropped at any await.
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>>;
}

/// A publisher.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// As for viewers, for people.
    pub protocol: &'static str,
    /// What it calls itself, fit to be shown.
    pub user_agent: Arc<str>,
    /// The name and password that it shows.
    pub credentials: Option<Credentials>,
}

/// Why a publisher is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// 401: a name and a password are needed, or others than these.
    Challenge,
    /// 403, and why.
    Forbidden(String),
    /// Anything else.
    Refused(Refusal),
}

//! A publisher at this balancer: what it sends goes to whoever has the feed, and to the next owner when that changes.

mod reader;

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::StatusCode;
use millrace_bus::{Channel, GopCache, Join, Start};
use millrace_http::{BoxFuture, Denial, Point, Refusal, Sender, Sent, Taking};
use millrace_link::{
    Code,
    avrs::{self, Content, ContentFlags, ContentKind, Direction, Target},
    net::{ChannelError, HeldSession, SessionError, Wish},
    wire::Notice,
};
use tokio::time::{self, MissedTickBehavior, timeout};

use self::reader::Reader;
use super::{Edge, count, registry::Owner, source::AGAIN};
use crate::{
    intake::{Expected, Intake},
    linking::{Client, ListedSession, publishing},
};

/// An owner that is not there, or does not take it, is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// One that does not answer is not kept waiting for longer than its link is.
const BEGINNING: Duration = Duration::from_secs(3);
/// How often to look for it.
const LOOK: Duration = Duration::from_millis(100);

/// A place to publish to that some server pod has.
pub(super) struct EdgePoint {
    edge: Arc<Edge>,
    path: String,
    announced: Arc<str>,
}

impl Edge {
    /// Where content can be sent to at `path`, if anybody in the cluster takes it.
    pub fn point(self: &Arc<Self>, path: &str) -> Option<Arc<dyn Point>> {
        let announced: Arc<str> = publishing::announced(path).into();
        self.registry.known(&announced)?;
        Some(Arc::new(EdgePoint { edge: self.clone(), path: path.to_owned(), announced }))
    }
}

impl Point for EdgePoint {
    fn admit(self: Arc<Self>, sender: Sender) -> BoxFuture<'static, Result<Box<dyn Taking>, Denial>> {
        Box::pin(async move {
            self.edge.enter(0).map_err(Denial::Refused)?;
            let seat = Seat(self.edge.clone());
            count(&self.edge.counts.publishers);
            let client = Client(sender.credentials.clone()).encode().into();
            let mut line = Line { point: self, client, up: None };
            line.first().await?;
            let Sender { peer, protocol, ref user_agent, .. } = sender;
            let path = &line.point.path;
            tracing::info!(%peer, path, protocol, ?user_agent, "publisher joined");
            let reason = "hung up".to_owned();
            let forwarding = Forwarding {
                line,
                sender,
                since: SystemTime::now(),
                bytes: 0,
                dropped: 0,
                reason,
                _seat: seat,
            };
            Ok(Box::new(forwarding) as Box<dyn Taking>)
        })
    }
}

/// Room that a publisher takes, until dropped.
struct Seat(Arc<Edge>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.counts.publishers.fetch_sub(1, Ordering::Relaxed);
        self.0.leave();
    }
}

/// A session with the owner.
struct Up {
    owner: Owner,
    session: HeldSession,
    _listed: ListedSession,
}

/// The way to whoever has the feed.
struct Line {
    point: Arc<EdgePoint>,
    client: Bytes,
    up: Option<Up>,
}

impl Line {
    fn owner(&self) -> Option<Owner> {
        self.point.edge.registry.owner(&self.point.announced)
    }

    /// The first session: what its owner says is said to the publisher.
    async fn first(&mut self) -> Result<(), Denial> {
        let mut said = "no media pod takes what is published here at the moment".to_owned();
        let trying = async {
            loop {
                match self.begin().await {
                    Some(Ok(())) => return Ok(()),
                    Some(Err(SessionError::Code { code, text })) => {
                        if let Some(denial) = publishing::denial(code, &text) {
                            return Err(denial);
                        }
                        said = text;
                    }
                    Some(Err(error)) => said = error.to_string(),
                    None => {}
                }
                time::sleep(LOOK).await;
            }
        };
        match timeout(PATIENCE, trying).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Denial::Refused(Refusal::unavailable(said, AGAIN))),
        }
    }

    /// A session with the owner; none where there is no owner.
    async fn begin(&mut self) -> Option<Result<(), SessionError>> {
        let owner = self.owner()?;
        let content = self.point.path.clone();
        let target =
            Target { content, direction: Direction::Publish, kind: ContentKind::Live, quality: None };
        let wish =
            Wish { target, credentials: self.client.clone(), join: avrs::Join::default(), position: None };
        let (edge, path) = (self.point.edge.clone(), self.point.announced.clone());
        // In a task of its own: a session is not left half-begun where the publisher hangs up.
        let begin = tokio::spawn(async move {
            let session = timeout(BEGINNING, owner.peer.client.begin(&wish)).await;
            let session = session.map_err(|_| SessionError::from(Code::ERROR))??;
            let listed = edge.lines.session(owner.peer.line, session.channel().id(), path, None);
            Ok::<_, SessionError>(Up { owner, session: session.into(), _listed: listed })
        });
        Some(match begin.await.unwrap_or_else(|_| Err(Code::ERROR.into())) {
            Ok(up) => {
                count(&self.point.edge.counts.publish_sessions);
                self.up = Some(up);
                Ok(())
            }
            Err(error) => Err(error),
        })
    }

    /// Until the session is over, and why; never, where there is none.
    async fn lost(&self) -> Notice {
        let Some(up) = &self.up else { return std::future::pending().await };
        let moved = async {
            while self.owner().is_some_and(|now| now.is(&up.owner)) {
                time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            notice = up.session.channel().closed() => notice,
            () = moved => Notice::new(Code::CONTENT_NOT_FOUND, "another media pod has it"),
        }
    }

    async fn send(&self, content: Content) -> Result<(), ChannelError> {
        let Some(Up { session, .. }) = &self.up else { return Ok(()) };
        let content = Content { stream: session.stream(), ..content };
        session.channel().send_parts(content.encode_head(), content.data).await
    }

    /// That was all: waits until the owner has taken it.
    async fn finish(&mut self, end: Content) -> Result<(), Refusal> {
        let gone = || Refusal::unavailable("the media pod that took it is gone", AGAIN);
        self.send(end).await.map_err(|_| gone())?;
        let Some(Up { session, _listed, .. }) = self.up.take() else { return Err(gone()) };
        let over = timeout(PATIENCE, session.channel().closed()).await.map_err(|_| gone())?;
        let _ = session.close().await;
        if over.code.is_success() { Ok(()) } else { Err(Refusal::unavailable(over.text, AGAIN)) }
    }
}

/// A publisher that was let in, until dropped.
struct Forwarding {
    line: Line,
    sender: Sender,
    since: SystemTime,
    bytes: u64,
    /// Bytes that no owner got.
    dropped: u64,
    /// Why it leaves.
    reason: String,
    _seat: Seat,
}

impl Taking for Forwarding {
    fn take(mut self: Box<Self>, content: &mut dyn Sent) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let outcome = self.all(content).await;
            self.reason = outcome.as_ref().map_or_else(|no| no.reason.clone(), |()| "ended".to_owned());
            outcome
        })
    }
}

impl Forwarding {
    async fn all(&mut self, content: &mut dyn Sent) -> Result<(), Refusal> {
        // A channel of its own knows where the next owner can begin.
        let channel = Channel::new(self.line.point.path.as_str(), GopCache::default());
        let mut intake = Intake::new(std::slice::from_ref(&channel), Expected::Any);
        // The first owner gets every byte as it comes, and so the header where it is.
        let mut reader = Reader::new(channel.join(Join { header: false, start: Start::Live }));
        intake.begin();
        let mut refused: Option<Instant> = None;
        let mut missed = 0_u64;
        // One for all rounds: a publisher sends more often than that.
        let mut look = time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let up = self.line.up.is_some();
            let next = tokio::select! {
                biased;
                notice = self.line.lost(), if up => {
                    self.lose(&notice)?;
                    continue;
                }
                _ = look.tick(), if !up => {
                    if self.again(&mut refused).await? {
                        reader = Reader::at(&channel);
                        let kept = channel.offset().saturating_sub(reader.offset);
                        self.count_missed(missed.saturating_sub(kept));
                        missed = 0;
                        self.forward(&mut reader).await?;
                    }
                    continue;
                }
                next = content.next() => next,
            };
            let piece = next.map_err(|error| broken(&error))?;
            let Some(piece) = piece else { break };
            self.bytes += piece.len() as u64;
            self.line.point.edge.counts.published.fetch_add(piece.len() as u64, Ordering::Relaxed);
            intake.push(&piece);
            self.forward(&mut reader).await?;
            if self.line.up.is_none() {
                missed += piece.len() as u64;
            }
        }
        intake.end();
        self.forward(&mut reader).await?;
        self.count_missed(missed);
        let end = Content { flags: ContentFlags::END, data: Bytes::new(), ..reader.content() };
        self.line.finish(end).await
    }

    /// Sends what there is, no faster than the owner takes it.
    async fn forward(&mut self, reader: &mut Reader) -> Result<(), Refusal> {
        while self.line.up.is_some() {
            let Some(Ok(piece)) = reader.subscriber.next_piece().now_or_never() else { return Ok(()) };
            let content = reader.packet(piece);
            if let Err(error) = self.line.send(content).await {
                let notice = match error {
                    ChannelError::Closed(notice) => notice,
                    error => Notice::new(Code::ERROR, error.to_string()),
                };
                self.lose(&notice)?;
            }
        }
        Ok(())
    }

    /// The session is over; where its owner says that there shall be no other, so is the publisher.
    fn lose(&mut self, notice: &Notice) -> Result<(), Refusal> {
        self.line.up = None;
        let path = &self.line.point.path;
        tracing::info!(peer = %self.sender.peer, path, why = notice.text, "a publisher waits for another owner");
        match publishing::denial(notice.code, &notice.text) {
            None => Ok(()),
            Some(denial) => Err(refusal(denial)),
        }
    }

    /// Looks for an owner to go on with. True: there is one.
    async fn again(&mut self, refused: &mut Option<Instant>) -> Result<bool, Refusal> {
        let point = &self.line.point;
        if point.edge.registry.known(&point.announced).is_none() {
            return Err(Refusal {
                status: StatusCode::NOT_FOUND,
                reason: format!("Nobody takes what is published at {} any more.", point.path),
                retry_after: None,
            });
        }
        let error = match self.line.begin().await {
            None => return Ok(false),
            Some(Ok(())) => {
                *refused = None;
                return Ok(true);
            }
            Some(Err(error)) => error,
        };
        if self.line.owner().is_none() {
            *refused = None;
            return Ok(false);
        }
        tracing::debug!(path = self.line.point.path, %error, "an owner does not take a publisher yet");
        let denial = match &error {
            // The owner may not have noticed yet that this one lost its session.
            SessionError::Code { code: Code::SESSION_ALREADY_OPENED, .. } => None,
            SessionError::Code { code, text } => publishing::denial(*code, text),
            _ => None,
        };
        if let Some(denial) = denial {
            return Err(refusal(denial));
        }
        if refused.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
            return Ok(false);
        }
        Err(Refusal::unavailable(error.to_string(), AGAIN))
    }

    fn count_missed(&mut self, bytes: u64) {
        self.dropped += bytes;
        self.line.point.edge.counts.publish_dropped.fetch_add(bytes, Ordering::Relaxed);
        if bytes > 0 {
            let path = &self.line.point.path;
            tracing::warn!(peer = %self.sender.peer, path, bytes, "what a publisher sent while nobody had its feed is lost");
        }
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        let Sender { peer, protocol, .. } = self.sender;
        let (path, reason) = (&self.line.point.path, &self.reason);
        let seconds = self.since.elapsed().unwrap_or_default().as_secs();
        let (bytes, dropped) = (self.bytes, self.dropped);
        tracing::info!(%peer, path, protocol, bytes, dropped, seconds, reason, "publisher left");
    }
}

fn broken(error: &io::Error) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        reason: format!("What is sent ends in its middle: {error}"),
        retry_after: None,
    }
}

fn refusal(denial: Denial) -> Refusal {
    let (status, reason) = match denial {
        Denial::Refused(refusal) => return refusal,
        Denial::Challenge => (StatusCode::FORBIDDEN, "The password is none any more.".to_owned()),
        Denial::Forbidden(why) => (StatusCode::FORBIDDEN, why),
    };
    Refusal { status, reason, retry_after: None }
}

//! Follows the owner of one path, whoever that is, and publishes what it sends.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::StatusCode;
use millrace_fencing::{Epoch, directory::LinkId};
use millrace_http::Refusal;
use millrace_link::{
    Code,
    avrs::{Content, ContentFlags, ContentKind, Direction, Join, Target},
    net::{ChannelError, Session, SessionError, Wish},
    wire::tag,
};
use tokio::time;

use super::{
    Edge, count,
    registry::Owner,
    splice::{Splice, Step},
    upstream::Upstream,
};
use crate::{
    intake::{Expected, Intake},
    linking::Tally,
};

/// Waits after a session that failed, while its owner stays the same.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// A session that is closed in any case.
struct Held(Option<Session>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            tokio::spawn(async move {
                // If it cannot be said, the end of its channel says it.
                let _ = session.close().await;
            });
        }
    }
}

/// What is followed, and where it is asked for.
struct Line {
    upstream: Arc<Upstream>,
    edge: Arc<Edge>,
}

/// See the module.
pub(super) struct Following {
    line: Line,
    intake: Intake,
    splice: Splice,
    begun: bool,
    /// The owner of which it was said that its content is refused.
    complained: Option<(LinkId, Epoch)>,
}

impl Following {
    pub fn new(upstream: Arc<Upstream>, edge: Arc<Edge>) -> Self {
        let intake = Intake::new(std::slice::from_ref(&upstream.channel), Expected::Any);
        Self {
            line: Line { upstream, edge },
            intake,
            splice: Splice::default(),
            begun: false,
            complained: None,
        }
    }

    /// Nobody watches: what is there is of no use to who comes later.
    pub fn rest(&mut self) {
        self.intake.end();
        self.splice.rest();
        self.begun = false;
        self.line.upstream.caught_up.send_replace(false);
        self.line.upstream.refused.send_replace(None);
        self.line.upstream.flowing.send_replace(false);
    }

    /// For ever. May be dropped at any await.
    pub async fn follow(&mut self) {
        let mut wait = SHORTEST;
        let mut before: Option<Owner> = None;
        loop {
            let Some(owner) = self.line.edge.registry.owner(&self.line.upstream.path) else {
                self.line.upstream.news.notified().await;
                continue;
            };
            if before.as_ref().is_some_and(|before| !before.is(&owner)) {
                wait = SHORTEST;
                self.line.upstream.refused.send_replace(None);
            }
            before = Some(owner.clone());
            let flowed = self.session(&owner).await;
            self.line.upstream.flowing.send_replace(false);
            if self.line.has_moved(&owner) {
                continue;
            }
            wait = if flowed { SHORTEST } else { (wait * 2).min(LONGEST) };
            tokio::select! {
                () = time::sleep(wait) => {}
                () = self.line.upstream.news.notified() => {}
            }
        }
    }

    /// One session with `owner`, to its end. Whether anything came.
    async fn session(&mut self, owner: &Owner) -> bool {
        let held = self.line.begin(owner).await;
        let Some(session) = held.as_ref().and_then(|held| held.0.as_ref()) else { return false };
        count(&self.line.edge.counts.sessions);
        self.line.upstream.flowing.send_replace(true);
        self.line.upstream.caught_up.send_replace(false);
        self.splice.session();
        let since = session.synchronised().u64(tag::TIMESTAMP).unwrap_or_default();
        let trust = self.line.edge.identity.trust().clone();
        let (tally, began) = (Arc::new(Tally::default()), Instant::now());
        let path = self.line.upstream.path.clone();
        let _listed =
            self.line.edge.lines.session(owner.peer.line, session.channel().id(), path, Some(tally.clone()));
        let mut flowed = false;
        loop {
            let received = tokio::select! {
                biased;
                () = self.line.upstream.news.notified() => {
                    if self.line.has_moved(owner) {
                        return flowed;
                    }
                    continue;
                }
                received = session.recv(Some(&*trust)) => received,
            };
            match received {
                Ok((packet, content)) => {
                    self.line.edge.counts.bytes_in.fetch_add(packet.len() as u64, Ordering::Relaxed);
                    count(&self.line.edge.counts.packets_in);
                    if !content.flags.has(ContentFlags::HEADER) {
                        tally.count(packet.len(), &content, began.elapsed().as_micros() as u64);
                    }
                    if !self.publish(owner, content, since) {
                        return flowed;
                    }
                    flowed = true;
                }
                Err(SessionError::Content(code)) => {
                    self.line.edge.refused(code);
                    // Once for each owner: it is counted, and tried again and again.
                    let this = Some((owner.link, owner.epoch));
                    if std::mem::replace(&mut self.complained, this) != this {
                        tracing::warn!(path = %self.line.upstream.path, %code, from = %owner.peer.address, "content refused");
                    }
                    return false;
                }
                Err(error) => {
                    tracing::debug!(path = %self.line.upstream.path, %error, "a session is over");
                    self.line.refuse(&error);
                    return flowed;
                }
            }
        }
    }

    /// False: nothing more may come of this session.
    fn publish(&mut self, owner: &Owner, content: Content, since: u64) -> bool {
        let epoch = content.generation.epoch;
        if epoch != owner.epoch.get()
            || !self.line.edge.registry.admit(&self.line.upstream.path, owner.link, epoch)
        {
            self.line.edge.older();
            return false;
        }
        let live = !content.flags.has(ContentFlags::HEADER) && content.timestamp >= since;
        if live && !*self.line.upstream.caught_up.borrow() {
            // Who waits for what happens now must not miss this.
            self.line.upstream.caught_up.send_replace(true);
        }
        match self.splice.take(content) {
            Step::Nothing => {}
            Step::Push(bytes) => self.intake.push(&bytes),
            Step::Begin(all) => {
                if std::mem::replace(&mut self.begun, true) {
                    count(&self.line.edge.counts.generations);
                }
                self.intake.begin_of(epoch);
                for bytes in &all {
                    self.intake.push(bytes);
                }
                self.line.upstream.refused.send_replace(None);
            }
            Step::Refuse => {
                self.line.edge.older();
                return false;
            }
        }
        true
    }
}

impl Line {
    fn has_moved(&self, owner: &Owner) -> bool {
        !self.edge.registry.owner(&self.upstream.path).is_some_and(|now| now.is(owner))
    }

    /// A session with `owner`; none if there is another one meanwhile, or it says no.
    async fn begin(&self, owner: &Owner) -> Option<Held> {
        let beginning = begin(owner, &self.upstream.path);
        tokio::pin!(beginning);
        let outcome = loop {
            tokio::select! {
                outcome = &mut beginning => break outcome,
                () = self.upstream.news.notified() => if self.has_moved(owner) { return None },
            }
        };
        if let Err(error) = &outcome {
            count(&self.edge.counts.session_failures);
            self.refuse(error);
        }
        outcome.ok()
    }

    /// Says to those who wait for a first byte why there is none, where the owner said so.
    fn refuse(&self, error: &SessionError) {
        let text = match error {
            SessionError::Channel(ChannelError::Closed(notice))
                if notice.code == Code::CONTENT_UNAVAILABLE =>
            {
                notice.text.clone()
            }
            SessionError::Code { code, text }
                if [Code::CONTENT_UNAVAILABLE, Code::SESSION_CONTENT_ID_WRONG].contains(code) =>
            {
                text.clone()
            }
            _ => return,
        };
        self.upstream.refused.send_replace(Some(Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            reason: text,
            retry_after: Some(LONGEST),
        }));
    }
}

/// In a task of its own: a session is not left half-begun where nobody waits for it any more.
async fn begin(owner: &Owner, path: &str) -> Result<Held, SessionError> {
    let wish =
        Wish { target: target(path), credentials: Bytes::new(), join: Join::LastKeyframe, position: None };
    let client = owner.peer.client.clone();
    let begin = tokio::spawn(async move { client.begin(&wish).await.map(|session| Held(Some(session))) });
    begin.await.unwrap_or(Err(Code::ERROR.into()))
}

/// Live content, to be watched.
pub(super) fn target(path: &str) -> Target {
    Target { content: path.to_owned(), direction: Direction::Watch, kind: ContentKind::Live, quality: None }
}

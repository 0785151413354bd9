//! Follows the owner of one path, whoever that is, and publishes what it sends.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use millrace_fencing::{Epoch, directory::LinkId};
use millrace_http::Refusal;
use millrace_link::{
    Code,
    avrs::{Content, ContentFlags},
    net::{ChannelError, SessionError},
};
use tokio::time;

use super::{
    Edge, count,
    registry::Owner,
    session::Running,
    splice::{Splice, Step},
    succession::Succession,
    upstream::Upstream,
};
use crate::intake::{Expected, Intake};

/// Waits after a session that failed, while its owner stays the same.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// What is followed, and where it is asked for.
#[derive(Clone)]
pub(super) struct Line {
    pub upstream: Arc<Upstream>,
    pub edge: Arc<Edge>,
}

/// How a session ended.
struct Over {
    /// Whether anything came of it.
    flowed: bool,
    /// What follows it without a gap, and what that has given so far.
    next: Option<(Running, Vec<Content>)>,
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
        self.line.arrived();
    }

    /// For ever. May be dropped at any await.
    pub async fn follow(&mut self) {
        let mut wait = SHORTEST;
        let mut before: Option<Owner> = None;
        loop {
            let Some(owner) = self.line.owner() else {
                self.line.upstream.news.notified().await;
                continue;
            };
            if before.as_ref().is_some_and(|before| !before.is(&owner)) {
                wait = SHORTEST;
                self.line.upstream.refused.send_replace(None);
            }
            let mut session = self.line.begin(&owner).await.map(|running| (running, Vec::new()));
            let (mut last, mut flowed) = (owner, false);
            while let Some((running, opening)) = session.take() {
                last = running.owner.clone();
                let over = self.session(running, opening).await;
                (flowed, session) = (over.flowed, over.next);
            }
            self.line.upstream.flowing.send_replace(false);
            self.line.arrived();
            let moved = self.line.has_moved(&last);
            before = Some(last);
            if moved {
                continue;
            }
            wait = if flowed { SHORTEST } else { (wait * 2).min(LONGEST) };
            tokio::select! {
                () = time::sleep(wait) => {}
                () = self.line.upstream.news.notified() => {}
            }
        }
    }

    /// One session, which has given `opening` so far, to its end, or until another one can go on in its place.
    async fn session(&mut self, running: Running, opening: Vec<Content>) -> Over {
        self.line.upstream.flowing.send_replace(true);
        self.line.upstream.caught_up.send_replace(false);
        self.splice.session();
        let mut flowed = false;
        for content in opening {
            if !self.publish(&running, content) {
                return Over { flowed, next: None };
            }
            flowed = true;
        }
        let mut succession = Succession::new(self.line.clone());
        loop {
            let received = tokio::select! {
                biased;
                () = self.line.upstream.news.notified() => {
                    if succession.look(&running.owner) {
                        continue;
                    }
                    return Over { flowed, next: None };
                }
                next = succession.next() => {
                    self.line.arrived();
                    return Over { flowed, next };
                }
                received = running.next() => received,
            };
            match received {
                Ok(content) => {
                    if !self.publish(&running, content) {
                        return Over { flowed, next: None };
                    }
                    flowed = true;
                }
                Err(error) => {
                    self.ended(&running.owner, &error);
                    return Over { flowed, next: None };
                }
            }
        }
    }

    /// A session with `owner` is over by itself.
    fn ended(&mut self, owner: &Owner, error: &SessionError) {
        let SessionError::Content(code) = error else {
            tracing::debug!(path = %self.line.upstream.path, %error, "a session is over");
            return self.line.refuse(error);
        };
        self.line.edge.refused(*code);
        // Once for each owner: it is counted, and tried again and again.
        let this = Some((owner.link, owner.epoch));
        if std::mem::replace(&mut self.complained, this) != this {
            tracing::warn!(path = %self.line.upstream.path, %code, from = %owner.peer.address, "content refused");
        }
    }

    /// False: nothing more may come of this session.
    fn publish(&mut self, running: &Running, content: Content) -> bool {
        let (owner, since) = (&running.owner, running.since);
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
    /// Who has the path.
    pub fn owner(&self) -> Option<Owner> {
        self.edge.registry.owner(&self.upstream.path)
    }

    fn has_moved(&self, owner: &Owner) -> bool {
        !self.owner().is_some_and(|now| now.is(owner))
    }

    /// Viewers need no former owner any more.
    fn arrived(&self) {
        self.edge.registry.arrived(&self.upstream.path);
    }

    /// A session with `owner`; none if there is another one meanwhile, or it says no.
    async fn begin(&self, owner: &Owner) -> Option<Running> {
        let beginning = Running::begin(self.edge.clone(), owner.clone(), self.upstream.path.clone());
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

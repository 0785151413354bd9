//! Follows a path of other Clusters while somebody watches it here, and publishes what comes, until a member of this one
//! has it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use millrace_http::Refusal;
use millrace_link::{
    avrs::{Content, ContentFlags, Way},
    net::{Backoff, ChannelError, SessionError},
};
use tokio::time::{self, timeout};

use super::{
    super::{
        Edge, count,
        registry::Owner,
        session::Running,
        source::AGAIN,
        splice::{Splice, Step},
        upstream::{LINGER, Upstream},
    },
    Nowhere,
    choice::Said,
    pulled::{Identity, Next},
    uplink::Uplink,
};
use crate::intake::{Expected, Intake};

/// Waits after a session that failed.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// What no upstream has for so long is gone: one that started again needs a moment to hear what there is.
const GONE: Duration = Duration::from_secs(10);
/// A member of this Cluster that has announced it is waited for so long.
const WARM: Duration = Duration::from_secs(10);

/// Follows `upstream`, if it is of another Cluster, until it is not any more. False: its viewers were let go.
pub(in super::super) async fn keep(upstream: &Arc<Upstream>, edge: &Arc<Edge>) -> bool {
    if !edge.beyond.has(&upstream.path) {
        return true;
    }
    let mut following = Following::new(upstream.clone(), edge.clone());
    let here = loop {
        tokio::select! {
            () = upstream.demand.wanted() => {}
            _ = owned(upstream, edge) => break Some(None),
        }
        tokio::select! {
            () = upstream.demand.unwanted(LINGER) => {}
            warm = warm(upstream, edge) => break Some(warm),
            () = following.follow() => break None,
        }
        following.rest();
    };
    following.rest();
    // Only one may publish.
    drop(following);
    let Some(warm) = here else {
        edge.beyond.forget(&upstream.path);
        return false;
    };
    tracing::info!(path = %upstream.path, "this Cluster has the stream itself now");
    if !edge.adopt(upstream) {
        upstream.close();
        return false;
    }
    // What was started stays so until it is asked for in the usual way.
    tokio::spawn(async move {
        time::sleep(AGAIN).await;
        drop(warm);
    });
    true
}

/// Until a member of this Cluster has it, and who.
async fn owned(upstream: &Upstream, edge: &Edge) -> Owner {
    let mut changes = edge.registry.changes();
    loop {
        if let Some(owner) = edge.registry.owner(&upstream.path) {
            return owner;
        }
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Until a member of this Cluster has it and gives something, so that nobody has to wait for that; or should by now.
async fn warm(upstream: &Upstream, edge: &Arc<Edge>) -> Option<Running> {
    let owner = owned(upstream, edge).await;
    let begin = async {
        let running = Running::begin(edge.clone(), owner, upstream.path.clone()).await.ok()?;
        running.opening().await.ok()?;
        Some(running)
    };
    timeout(WARM, begin).await.ok().flatten()
}

/// How a session ended.
enum Ended {
    /// The stream is over there.
    Over,
    /// It was none: that upstream does not have the path.
    Not,
    /// Anything else. Whether something came.
    Lost(bool),
}

struct Following {
    upstream: Arc<Upstream>,
    edge: Arc<Edge>,
    intake: Intake,
    splice: Splice,
    /// What `splice` compares with.
    identity: Option<Identity>,
    begun: bool,
}

impl Following {
    fn new(upstream: Arc<Upstream>, edge: Arc<Edge>) -> Self {
        let intake = Intake::new(std::slice::from_ref(&upstream.channel), Expected::Any);
        Self { upstream, edge, intake, splice: Splice::default(), identity: None, begun: false }
    }

    /// Nobody watches: what is there is of no use to who comes later.
    fn rest(&mut self) {
        self.intake.end();
        (self.splice, self.identity, self.begun) = (Splice::default(), None, false);
        self.upstream.caught_up.send_replace(false);
        self.upstream.refused.send_replace(None);
        self.upstream.flowing.send_replace(false);
    }

    /// Until nobody has it any more. May be dropped at any await.
    async fn follow(&mut self) {
        let mut backoff = Backoff::new(SHORTEST, LONGEST);
        let (mut gone, mut without) = (None::<Instant>, None::<Instant>);
        let mut risen = self.edge.beyond.risen();
        // Whoever asked first has found out who has it.
        let mut known = self.edge.beyond.found(&self.upstream.path);
        loop {
            let told = known.is_some();
            let found = match known.take() {
                Some(uplink) => Ok(uplink),
                None => self.edge.beyond.find(&self.upstream.path, &Way::default(), true).await,
            };
            let mut over = false;
            match found {
                Ok(uplink) => match self.session(&uplink).await {
                    Ended::Over => over = true,
                    // What was found out some time ago: others may have it.
                    Ended::Not if told => continue,
                    Ended::Not => {}
                    Ended::Lost(flowed) => {
                        if flowed {
                            backoff.succeeded();
                            (gone, without) = (None, None);
                        }
                    }
                },
                Err(nowhere) => {
                    let since = *gone.get_or_insert_with(Instant::now);
                    let away = *without.get_or_insert_with(Instant::now);
                    let no = matches!(nowhere, Nowhere::No(_) | Nowhere::Loop(_));
                    if !no {
                        gone = None;
                    } else if since.elapsed() >= GONE || !self.begun {
                        return self.refuse(&nowhere.into());
                    }
                    // A moment without a link is nobody's business.
                    if !self.begun || away.elapsed() >= AGAIN {
                        self.refuse(&nowhere.into());
                    }
                }
            }
            self.upstream.flowing.send_replace(false);
            if over {
                // Another one may have it; else it was ended on purpose, and nobody is kept waiting.
                match self.edge.beyond.find(&self.upstream.path, &Way::default(), true).await {
                    Ok(uplink) => known = Some(uplink),
                    Err(Nowhere::No(_) | Nowhere::Loop(_)) => return,
                    Err(Nowhere::Away(_)) => {}
                }
            }
            risen.borrow_and_update();
            tokio::select! {
                () = time::sleep(backoff.failed()) => {}
                Ok(()) = risen.changed() => {}
            }
        }
    }

    /// One session, to its end.
    async fn session(&mut self, uplink: &Arc<Uplink>) -> Ended {
        let beyond = &self.edge.beyond;
        let way = Way::default().behind(beyond.own());
        let pulled = match uplink.pull(self.upstream.path.clone(), way).await {
            Ok(pulled) => pulled,
            Err(Said::No(_) | Said::Loop(_)) => return Ended::Not,
            Err(said) => {
                self.said(uplink, &said);
                return Ended::Lost(false);
            }
        };
        if pulled.from.has(beyond.own().id()) {
            self.said(uplink, &uplink.comes_from_here(&pulled.from));
            return Ended::Lost(false);
        }
        beyond.comes(&self.upstream.path, uplink, pulled.from.clone());
        tracing::info!(path = %self.upstream.path, upstream = %uplink.config.name, from = %pulled.from, "a stream is pulled");
        if self.identity != Some(pulled.identity) {
            // Numbers of another stream, or of another program, say nothing.
            (self.splice, self.identity) = (Splice::default(), Some(pulled.identity));
        }
        self.splice.session();
        self.upstream.caught_up.send_replace(false);
        let mut flowed = false;
        loop {
            match pulled.next().await {
                Next::Content(content, bytes) => {
                    uplink.received(bytes);
                    if !flowed {
                        self.upstream.refused.send_replace(None);
                        self.upstream.flowing.send_replace(true);
                    }
                    if !self.publish(content, pulled.since) {
                        self.identity = None;
                        return Ended::Lost(flowed);
                    }
                    flowed = true;
                }
                Next::Over => {
                    self.identity = None;
                    return Ended::Over;
                }
                Next::Lost(error) => {
                    tracing::debug!(path = %self.upstream.path, %error, "a session with an upstream is over");
                    let told = match &error {
                        SessionError::Channel(ChannelError::Closed(notice)) => !notice.code.is_success(),
                        SessionError::Channel(_) => false,
                        SessionError::Code { .. } | SessionError::Content(_) => true,
                    };
                    if told {
                        self.said(uplink, &Said::by(&error));
                    }
                    return Ended::Lost(flowed);
                }
                Next::Silent => {
                    tracing::debug!(path = %self.upstream.path, "an upstream gives nothing");
                    return Ended::Lost(flowed);
                }
            }
        }
    }

    /// False: nothing more may come of this session.
    fn publish(&mut self, content: Content, since: u64) -> bool {
        let live = !content.flags.has(ContentFlags::HEADER) && content.timestamp >= since;
        if live && !*self.upstream.caught_up.borrow() {
            // Who waits for what happens now must not miss this.
            self.upstream.caught_up.send_replace(true);
        }
        match self.splice.take(content) {
            Step::Nothing => {}
            Step::Push(bytes) => self.intake.push(&bytes),
            Step::Begin(all) => {
                if std::mem::replace(&mut self.begun, true) {
                    count(&self.edge.counts.generations);
                }
                // Epochs of other Clusters say nothing here; those of this one are never 0, and so newer.
                self.intake.begin();
                for bytes in &all {
                    self.intake.push(bytes);
                }
            }
            Step::Refuse => {
                self.edge.older();
                return false;
            }
        }
        true
    }

    /// Why there is no session.
    fn said(&self, uplink: &Uplink, said: &Said) {
        let (Said::No(why) | Said::Loop(why) | Said::Refused(why) | Said::Away(why)) = said else { return };
        self.refuse(&Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            reason: format!("{}: upstream {}: {why}", self.upstream.path, uplink.config.name),
            retry_after: Some(AGAIN),
        });
    }

    /// Says to those who wait for a first byte why there is none.
    fn refuse(&self, refusal: &Refusal) {
        self.upstream.refused.send_replace(Some(refusal.clone()));
    }
}

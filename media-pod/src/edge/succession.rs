//! The session with the owner that comes next, begun while the one before still gives content: viewers miss nothing.

use std::{future, time::Duration};

use millrace_http::BoxFuture;
use millrace_link::avrs::Content;
use tokio::time::{self, Instant};

use super::{count, follow::Line, registry::Owner, session::Running};

/// An owner that gives nothing for so long is not waited for: neither is then the one before, which is told to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// Before a session that failed is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// A session, and what it has given so far.
type Begun = (Running, Vec<Content>);

/// See the module.
pub(super) struct Succession {
    line: Line,
    to: Option<(Owner, BoxFuture<'static, Option<Begun>>)>,
    /// When the first that comes next was seen.
    since: Option<Instant>,
}

impl Succession {
    /// Nobody comes next.
    pub fn new(line: Line) -> Self {
        Self { line, to: None, since: None }
    }

    /// Looks who has the path now. False: a session with `current` is of no use any more.
    pub fn look(&mut self, current: &Owner) -> bool {
        let now = self.line.owner();
        if now.as_ref().is_some_and(|now| now.is(current)) {
            (self.to, self.since) = (None, None);
            return true;
        }
        if !self.line.edge.registry.overlaps(&self.line.upstream.path, current) {
            return false;
        }
        self.since.get_or_insert_with(Instant::now);
        match now {
            Some(now) if self.to.as_ref().is_some_and(|(to, _)| to.is(&now)) => {}
            Some(now) => {
                let begun = Box::pin(begin(self.line.clone(), now.clone()));
                self.to = Some((now, begun));
            }
            None => self.to = None,
        }
        true
    }

    /// The session that takes over, when there is one; none when it was waited for long enough. Cancel safe.
    pub async fn next(&mut self) -> Option<Begun> {
        let Some(since) = self.since else { return future::pending().await };
        let begun = async {
            match &mut self.to {
                Some((_, beginning)) => beginning.await,
                None => future::pending().await,
            }
        };
        time::timeout_at(since + PATIENCE, begun).await.ok().flatten()
    }
}

/// Until `owner` gives something.
async fn begin(line: Line, owner: Owner) -> Option<Begun> {
    loop {
        let path = line.upstream.path.clone();
        let begun = async {
            let running = Running::begin(line.edge.clone(), owner.clone(), path).await?;
            let opening = running.opening().await?;
            Ok::<_, millrace_link::net::SessionError>((running, opening))
        };
        match begun.await {
            Ok(begun) => return Some(begun),
            Err(error) => {
                count(&line.edge.counts.session_failures);
                tracing::debug!(path = %line.upstream.path, %error, "the next owner gives nothing yet");
                time::sleep(AGAIN).await;
            }
        }
    }
}

//! A viewer of a path: it gets a place on this balancer's own channel, and the first bytes.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::StatusCode;
use millrace_bus::{Format, Join, Joined, Start};
use millrace_http::{Opened, Peek, Refusal, Source};
use tokio::time::{self, timeout};

use super::upstream::Upstream;
use crate::{hold::Hold, joining};

/// A stream that gives nothing for this long after it was asked for is not available.
const PATIENCE: Duration = Duration::from_secs(20);
/// One that nobody has for this long is not, either.
const UNOWNED: Duration = Duration::from_secs(10);
/// How often to look whether that is so.
const LOOK: Duration = Duration::from_millis(100);
/// Who wants the live edge waits so long at most for what its origin had kept to be over.
const CATCH_UP: Duration = Duration::from_secs(3);
/// For `Retry-After`: about what a new owner takes.
pub(super) const AGAIN: Duration = Duration::from_secs(2);

/// What keeps an upstream for one viewer.
struct Watching {
    upstream: Arc<Upstream>,
    _hold: Hold,
}

impl Watching {
    /// Unless there is no room for one more.
    fn new(upstream: &Arc<Upstream>) -> Result<Self, Refusal> {
        let edge = upstream.edge.upgrade();
        edge.as_ref().map_or(Ok(()), |edge| edge.enter(upstream.channel.qos().bitrate))?;
        upstream.viewers.fetch_add(1, Ordering::Relaxed);
        Ok(Self { upstream: upstream.clone(), _hold: upstream.demand.hold() })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.upstream.viewers.fetch_sub(1, Ordering::Relaxed);
        if let Some(edge) = self.upstream.edge.upgrade() {
            edge.leave();
        }
    }
}

impl Source for Upstream {
    fn peek(&self, join: Join) -> Peek {
        let mut peek = joining::peek(&self.channel, join);
        peek.content_type = peek.content_type.or_else(|| {
            let owner = self.edge.upgrade()?.registry.owner(&self.path)?;
            owner.serving.content_type.map(Into::into)
        });
        peek
    }

    fn open(self: Arc<Self>, join: Join) -> BoxFuture<'static, Result<Opened, Refusal>> {
        Box::pin(async move {
            // The place first: the bytes that the request itself sets off are this viewer's, too.
            let mut joined = self.channel.join(join);
            let watching = Watching::new(&self)?;
            let format = self.first(&joined).await?;
            if join.start == Start::Live {
                let mut caught_up = self.caught_up.subscribe();
                if !*caught_up.borrow_and_update() {
                    let _ = timeout(CATCH_UP, caught_up.wait_for(|caught_up| *caught_up)).await;
                    joined = self.channel.join(join);
                }
            } else if joining::is_unmarked(&self.channel, format.as_ref()) {
                joined = self.channel.join(Join { start: Start::Live, ..join });
            }
            let content_type = joining::content_type(format.as_ref());
            Ok(Opened { joined, content_type, flush: Duration::ZERO, hold: Box::new(watching) })
        })
    }
}

impl Upstream {
    /// Until it is known what comes, or that nothing will.
    async fn first(&self, joined: &Joined) -> Result<Option<Arc<Format>>, Refusal> {
        let mut refused = self.refused.subscribe();
        let refusal = async {
            let refusal = refused.wait_for(Option::is_some).await;
            let refusal = refusal.ok().and_then(|refusal| refusal.clone());
            refusal.unwrap_or_else(|| Refusal::unavailable("this stream is no more", AGAIN))
        };
        if let (true, Some(format)) = (self.owned(), joined.format()) {
            return Ok(format);
        }
        tokio::select! {
            biased;
            format = async { self.owner().await; self.channel.until(|_| joined.format()).await } => Ok(format),
            refusal = refusal => Err(refusal),
            () = self.unowned() => Err(Refusal::unavailable(
                format!("{}: no media pod has it at the moment", self.path),
                AGAIN,
            )),
            () = self.closed() => Err(Refusal {
                status: StatusCode::NOT_FOUND,
                reason: format!("{} is no more", self.path),
                retry_after: None,
            }),
            () = time::sleep(PATIENCE) => Err(Refusal {
                status: StatusCode::GATEWAY_TIMEOUT,
                reason: format!("{} gave nothing for {} s", self.path, PATIENCE.as_secs()),
                retry_after: Some(UNOWNED),
            }),
        }
    }

    fn owned(&self) -> bool {
        self.edge.upgrade().is_some_and(|edge| {
            let beyond = *self.flowing.borrow() && edge.beyond.has(&self.path);
            beyond || edge.registry.owner(&self.path).is_some()
        })
    }

    async fn owner(&self) {
        let mut flowing = self.flowing.subscribe();
        while !self.owned() {
            let _ = timeout(LOOK, flowing.changed()).await;
        }
    }

    async fn unowned(&self) {
        let mut without = Duration::ZERO;
        while without < UNOWNED {
            time::sleep(LOOK).await;
            without = if self.owned() { Duration::ZERO } else { without + LOOK };
        }
    }

    async fn closed(&self) {
        while !self.channel.is_closed() {
            time::sleep(LOOK).await;
        }
    }
}

//! Opening a stream for a viewer: it begins to run if it does not, and the viewer gets its first byte.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::StatusCode;
use millrace_bus::{Format, Join, Joined};
use millrace_http::{Opened, Refusal, Source};

use super::Stream;
use crate::{
    hold::Hold,
    state::{Condition, State},
};

/// A stream that gives nothing for this long after it was asked for is not available.
const PATIENCE: Duration = Duration::from_secs(20);
/// Failures in a row, without a byte in between, after which nobody is kept waiting.
const HOPELESS: u32 = 3;

/// What keeps a stream running for one viewer.
struct Watching {
    stream: Arc<Stream>,
    _holds: (Hold, Option<Hold>),
}

impl Watching {
    fn new(stream: &Arc<Stream>) -> Self {
        stream.viewers.fetch_add(1, Ordering::Relaxed);
        Self { stream: stream.clone(), _holds: stream.hold() }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stream.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Source for Stream {
    fn open(self: Arc<Self>, join: Join) -> BoxFuture<'static, Result<Opened, Refusal>> {
        Box::pin(async move {
            // The place first: the bytes that the request itself sets off are this viewer's, too.
            let joined = self.channel.join(join);
            let watching = Watching::new(&self);
            let format = self.ready(&joined).await?;
            let content_type =
                format.map_or_else(|| "application/octet-stream".into(), |f| f.content_type.clone());
            let flush = self.spec().flush;
            Ok(Opened { joined, content_type, flush, hold: Box::new(watching) })
        })
    }
}

impl Stream {
    /// Until it is known what comes, or that nothing will.
    pub async fn ready(self: &Arc<Self>, joined: &Joined) -> Result<Option<Arc<Format>>, Refusal> {
        if let Some(format) = joined.format() {
            return Ok(format);
        }
        let mut conditions = self.doing().watch();
        conditions.mark_changed();
        tokio::select! {
            format = self.channel.until(|_| joined.format()) => Ok(format),
            refusal = async {
                loop {
                    if conditions.changed().await.is_err() {
                        return std::future::pending().await;
                    }
                    if let Some(refusal) = hopeless(&conditions.borrow_and_update()) {
                        return refusal;
                    }
                }
            } => Err(refusal),
            () = tokio::time::sleep(PATIENCE) => Err(Refusal {
                status: StatusCode::GATEWAY_TIMEOUT,
                reason: format!("{} gave nothing for {} s", self.spec().path, PATIENCE.as_secs()),
                retry_after: Some(Duration::from_secs(5)),
            }),
        }
    }
}

fn hopeless(condition: &Condition) -> Option<Refusal> {
    let dead = condition.state == State::Failed;
    if !dead && (condition.state != State::Backoff || condition.failures < HOPELESS) {
        return None;
    }
    let why = condition.last_exit.as_ref().map_or("it ended", |exit| exit.reason.as_str());
    Some(Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        reason: format!("not available at the moment: {why}"),
        retry_after: (!dead).then_some(Duration::from_secs(2)),
    })
}

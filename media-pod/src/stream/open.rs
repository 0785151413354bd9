//! Opening a stream for a viewer: it begins to run if it does not, and the viewer gets its first byte.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::StatusCode;
use millrace_bus::{Format, Join, Joined, Start};
use millrace_http::{Opened, Peek, Refusal, Source};

use super::{Stream, hopeless};
use crate::{hold::Hold, joining};

/// A stream that gives nothing for this long after it was asked for is not available.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often to look whether that is so.
const LOOK: Duration = Duration::from_millis(50);

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
    fn peek(&self, join: Join) -> Peek {
        joining::peek(&self.channel, join)
    }

    fn open(self: Arc<Self>, join: Join) -> BoxFuture<'static, Result<Opened, Refusal>> {
        Box::pin(async move {
            // The place first: the bytes that the request itself sets off are this viewer's, too.
            let mut joined = self.channel.join(join);
            let watching = Watching::new(&self);
            let format = self.ready(&joined).await?;
            if join.start != Start::Live && joining::is_unmarked(&self.channel, format.as_ref()) {
                joined = self.channel.join(Join { start: Start::Live, ..join });
            }
            let content_type = joining::content_type(format.as_ref());
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
        let looks = async {
            let mut look = tokio::time::interval(LOOK);
            loop {
                look.tick().await;
                if let Some(refusal) = hopeless::stream(self, &self.shop) {
                    return refusal;
                }
            }
        };
        tokio::select! {
            biased;
            format = self.channel.until(|_| joined.format()) => Ok(format),
            refusal = looks => Err(refusal),
            () = tokio::time::sleep(PATIENCE) => Err(Refusal {
                status: StatusCode::GATEWAY_TIMEOUT,
                reason: format!("{} gave nothing for {} s", self.spec().path, PATIENCE.as_secs()),
                retry_after: Some(Duration::from_secs(5)),
            }),
        }
    }
}

//! Opening a stream for a viewer: it begins to run if it does not, and the viewer gets its first byte.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::StatusCode;
use millrace_bus::{Format, Join, Joined, Start};
use millrace_http::{Opened, Peek, Refusal, Source};

use super::Stream;
use crate::{
    hold::Hold,
    state::{Condition, State},
};

/// A stream that gives nothing for this long after it was asked for is not available.
const PATIENCE: Duration = Duration::from_secs(20);
/// Failures in a row, without a byte in between, after which nobody is kept waiting.
const HOPELESS: u32 = 3;
/// How long that is believed of a fallback that is not being tried.
const LATELY: Duration = Duration::from_secs(3);
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
        let content_type = self.channel.format().map(|format| format.content_type.clone());
        let age = self.channel.random_access_age().filter(|_| join.start == Start::Last);
        Peek { content_type, age }
    }

    fn open(self: Arc<Self>, join: Join) -> BoxFuture<'static, Result<Opened, Refusal>> {
        Box::pin(async move {
            // The place first: the bytes that the request itself sets off are this viewer's, too.
            let mut joined = self.channel.join(join);
            let watching = Watching::new(&self);
            let format = self.ready(&joined).await?;
            if join.start != Start::Live && (format.is_none() || self.marks_nothing()) {
                // Nobody knows where a picture begins in bytes of no known container, or where none is marked.
                joined = self.channel.join(Join { start: Start::Live, ..join });
            }
            let content_type =
                format.map_or_else(|| "application/octet-stream".into(), |f| f.content_type.clone());
            let flush = self.spec().flush;
            Ok(Opened { joined, content_type, flush, hold: Box::new(watching) })
        })
    }
}

/// Where so many bytes came without a random access point, none will.
const UNMARKED: u64 = 16 << 20;

impl Stream {
    fn marks_nothing(&self) -> bool {
        let qos = self.channel.qos();
        qos.random_access_points == 0 && qos.bytes_in > UNMARKED
    }

    /// Until it is known what comes, or that nothing will.
    pub async fn ready(self: &Arc<Self>, joined: &Joined) -> Result<Option<Arc<Format>>, Refusal> {
        if let Some(format) = joined.format() {
            return Ok(format);
        }
        let looks = async {
            let mut look = tokio::time::interval(LOOK);
            loop {
                look.tick().await;
                if let Some(refusal) = self.hopeless() {
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

impl Stream {
    /// Why nobody needs to wait, if nothing will come: of its command, or of a feed that it needs.
    fn hopeless(&self) -> Option<Refusal> {
        if self.channel.is_closed() {
            return Some(unavailable("it is no more", false));
        }
        let spec = self.spec();
        let own = || spec.command.as_ref().and_then(|_| Hopeless::of(&self.conditions.get()));
        let feed = || spec.feeds.iter().find_map(|name| self.feed_hopeless(name, 0));
        let why = own().or_else(feed)?;
        Some(unavailable(&why.reason, !why.dead))
    }

    fn feed_hopeless(&self, name: &str, depth: usize) -> Option<Hopeless> {
        let feed = self.shop.feed(name)?;
        let condition = feed.conditions.get();
        // A fallback rests between two tries.
        let why =
            Hopeless::of(&condition).or_else(|| (depth > 0).then(|| Hopeless::lately(&condition))?)?;
        // Fallbacks do not go round: that was refused.
        let others = |name: &String| depth < 32 && self.feed_hopeless(name, depth + 1).is_some();
        feed.spec().fallback.iter().all(others).then_some(why)
    }
}

struct Hopeless {
    dead: bool,
    reason: String,
}

impl Hopeless {
    /// Of what need not be trying at this moment.
    fn lately(condition: &Condition) -> Option<Self> {
        let exit = condition.last_exit.as_ref().filter(|_| condition.failures >= HOPELESS)?;
        let ago = exit.at.elapsed().unwrap_or_default();
        (ago < LATELY).then(|| Self { dead: false, reason: exit.reason.clone() })
    }

    fn of(condition: &Condition) -> Option<Self> {
        let dead = condition.state == State::Failed;
        if !dead && (condition.state != State::Backoff || condition.failures < HOPELESS) {
            return None;
        }
        let reason = condition.last_exit.as_ref().map_or("it ended", |exit| exit.reason.as_str()).to_owned();
        Some(Self { dead, reason })
    }
}

fn unavailable(why: &str, at_the_moment: bool) -> Refusal {
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        reason: format!("not available at the moment: {why}"),
        retry_after: at_the_moment.then_some(Duration::from_secs(2)),
    }
}

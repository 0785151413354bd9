//! Where this media pod takes what somebody sends.

use std::{future, sync::Arc};

use millrace_http::{Access, BoxFuture, Denial, Point, Refusal, Sender, Taking};

use super::access;
use crate::{
    feed::{self, Feed, Joined, Source},
    pod::Pod,
    state::State,
};

/// A feed that waits for a publisher, and the path at which it does.
pub(crate) struct FeedPoint {
    pod: Arc<Pod>,
    feed: Arc<Feed>,
    path: String,
}

/// The feed that is published at `path`.
pub(crate) fn at(pod: &Arc<Pod>, path: &str) -> Option<Arc<FeedPoint>> {
    let feeds = pod.shop().feeds.load();
    let is_here =
        |feed: &&Arc<Feed>| matches!(&feed.spec().source, Source::Publish { path: here, .. } if here == path);
    let feed = feeds.values().find(is_here)?.clone();
    Some(Arc::new(FeedPoint { pod: pod.clone(), feed, path: path.to_owned() }))
}

impl FeedPoint {
    /// Lets a publisher in, if it may.
    pub fn let_in(&self, sender: Sender) -> Result<Joined, Denial> {
        let spec = self.feed.spec();
        match access::decide_publish(&self.pod.resolved(), &spec.name, sender.credentials.as_ref()) {
            Access::Granted => {}
            Access::Challenge { .. } => return Err(Denial::Challenge),
            Access::Forbidden | Access::Unknown(_) | Access::Elsewhere(_) => {
                return Err(Denial::Forbidden("You may not publish here.".to_owned()));
            }
        }
        if let Source::Publish { closed: Some(why), .. } = &spec.source {
            return Err(Denial::Forbidden(why.clone()));
        }
        if self.feed.conditions.get().state == State::Failed {
            let why = "The feed has ended, and resurrect: false keeps it so while somebody watches.";
            return Err(Denial::Refused(Refusal::unavailable(why, feed::AGAIN)));
        }
        feed::join(&self.feed, &self.path, sender).map_err(Denial::Refused)
    }
}

impl Point for FeedPoint {
    fn admit(self: Arc<Self>, sender: Sender) -> BoxFuture<'static, Result<Box<dyn Taking>, Denial>> {
        let joined = self.let_in(sender).map(|joined| Box::new(joined) as Box<dyn Taking>);
        Box::pin(future::ready(joined))
    }
}

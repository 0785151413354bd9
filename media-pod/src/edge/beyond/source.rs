//! What the front door asks of streams of other Clusters.

use std::sync::Arc;

use http::{Method, StatusCode};
use millrace_bus::Join;
use millrace_http::{Access, BoxFuture, Opened, Refusal, Source};
use millrace_link::avrs::{Hop, Way};

use super::{
    super::{Edge, site::above, upstream::Upstream},
    Nowhere,
    choice::NO_STREAM,
};

/// A path that another Cluster may have.
struct Candidate {
    edge: Arc<Edge>,
    path: String,
}

impl Source for Candidate {
    fn open(self: Arc<Self>, join: Join) -> BoxFuture<'static, Result<Opened, Refusal>> {
        // Who asked whether it may has had it found.
        match self.edge.source(&self.path) {
            Some(source) => source.open(join),
            None => Box::pin(std::future::ready(Err(Refusal {
                status: StatusCode::NOT_FOUND,
                reason: format!("{NO_STREAM}{}", self.path),
                retry_after: None,
            }))),
        }
    }
}

impl Edge {
    /// Whether other Clusters are to be asked for `path`: none of this one has it, nor what it is below.
    pub fn may_be_beyond(&self, path: &str) -> bool {
        self.beyond.any() && !path.starts_with("/.") && !self.knows(path) && !self.is_below(path)
    }

    /// What may be at `path` in another Cluster: it is asked for when somebody watches.
    pub fn candidate(self: &Arc<Self>, path: &str) -> Arc<dyn Source> {
        Arc::new(Candidate { edge: self.clone(), path: path.to_owned() })
    }

    /// Whether another Cluster has `path`; if so, it can be watched from now on.
    pub fn ask_beyond(
        self: &Arc<Self>,
        path: &str,
        method: &Method,
        way: &Way,
    ) -> Option<BoxFuture<'static, Access>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let (edge, path, way) = (self.clone(), path.to_owned(), way.clone());
        Some(Box::pin(async move {
            match edge.reach(&path, &way).await {
                Ok(()) => Access::Granted,
                Err(nowhere) => Access::Unknown(nowhere.into()),
            }
        }))
    }

    async fn reach(self: &Arc<Self>, path: &str, way: &Way) -> Result<(), Nowhere> {
        if self.beyond.has(path) {
            let from = self.beyond.from(path);
            return way.meets(self.beyond.own(), &from).map_err(|wrong| self.beyond.refuse(wrong));
        }
        if self.is_below_beyond(path) {
            return Err(Nowhere::No(
                "what is below a stream of another Cluster is to be had there only, as its picture"
                    .to_owned(),
            ));
        }
        let uplink = match self.beyond.find(path, way, false).await {
            Ok(uplink) => uplink,
            // A member of this Cluster may have it, which nobody has heard yet.
            Err(Nowhere::No(reason)) if !self.ready() => return Err(Nowhere::Away(reason)),
            Err(nowhere) => return Err(nowhere),
        };
        // Local always wins.
        if self.knows(path) || self.beyond.put(path, uplink, |path| Upstream::start(path, self)) {
            return Ok(());
        }
        Err(Nowhere::Away("too many streams of other Clusters are watched here".to_owned()))
    }

    /// Whether who asks by `way` may have `path` from here, and through which clusters it comes then.
    pub fn on_the_way(&self, path: &str, way: &Way) -> Result<Way, String> {
        let own = self.beyond.own();
        let from = self.beyond.from(path);
        let checked = way.check(own).and_then(|()| way.meets(own, &from));
        checked.map_err(|wrong| match self.beyond.refuse(wrong) {
            Nowhere::No(why) | Nowhere::Loop(why) | Nowhere::Away(why) => why,
        })?;
        Ok(from.behind(own))
    }

    /// What this Cluster is called on a way.
    pub fn hop(&self) -> &Hop {
        self.beyond.own()
    }

    fn is_below_beyond(&self, path: &str) -> bool {
        above(path).any(|above| self.beyond.has(above))
    }

    /// A stream of another Cluster is one of this from now on. False: there is another one of it already.
    pub(super) fn adopt(&self, upstream: &Arc<Upstream>) -> bool {
        let here = self.registry.upstream(&upstream.path, |_| upstream.clone());
        self.beyond.give(&upstream.path);
        here.is_some_and(|here| Arc::ptr_eq(&here, upstream))
    }
}

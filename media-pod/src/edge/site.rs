//! What the front door asks of a balancer.

use std::sync::Arc;

use http::{Method, StatusCode};
use millrace_http::{Access, AccessRequest, BoxFuture, Forward, Refusal, Source};

use super::{Edge, cache, registry::Known, source::AGAIN, upstream::Upstream};

/// Parts of a path below which that of a stream is looked for, at most.
const DEEPEST: usize = 32;

impl Edge {
    /// The stream at `path`, if there is one in the cluster.
    pub fn source(self: &Arc<Self>, path: &str) -> Option<Arc<dyn Source>> {
        if let Some(upstream) = self.beyond.upstream(path) {
            return Some(upstream);
        }
        let upstream = self.registry.upstream(path, |path| Upstream::start(path, self))?;
        Some(upstream)
    }

    /// Whether there is such a stream in the cluster.
    pub fn knows(&self, path: &str) -> bool {
        self.registry.known(path).is_some()
    }

    /// Who may watch it, where that has to be asked.
    pub fn ask(self: &Arc<Self>, request: &AccessRequest<'_>) -> Option<BoxFuture<'static, Access>> {
        if *request.method == Method::OPTIONS {
            return None;
        }
        self.ask_owner(request.path, request.credentials)
    }

    /// Who may watch a stream of the cluster, where that need not be asked.
    pub fn access(&self, path: &str) -> Option<Access> {
        let Known { ask, .. } = self.registry.known(path)?;
        Some(if ask { Access::Forbidden } else { Access::Granted })
    }

    /// Where what is below a stream is answered, its picture for example: there, and that is asked who may have it.
    pub fn forward(&self, request: &AccessRequest<'_>) -> Option<Forward> {
        // What was sent on once is not sent on again.
        if request.relay.is_some() {
            return None;
        }
        let Known { owner, ask } = self.above(request.path)?;
        let owner = owner?;
        let cache = Some(cache::scope(&self.cache, &owner, ask));
        let serving = owner.serving;
        Some(Forward { address: serving.address?, relay: serving.relay.unwrap_or_default(), cache })
    }

    /// Why something that is not here may be there later.
    pub fn not_yet(&self, path: &str) -> Option<Refusal> {
        if !self.ready() {
            return Some(Refusal::unavailable("no media pod has said yet which streams there are", AGAIN));
        }
        let Known { owner, .. } = self.above(path)?;
        match owner {
            None => Some(Refusal::unavailable("no media pod has this stream at the moment", AGAIN)),
            Some(owner) if owner.serving.address.is_none() => Some(Refusal {
                status: StatusCode::NOT_FOUND,
                reason: "the media pod that has this stream answers for nothing else".to_owned(),
                retry_after: None,
            }),
            Some(_) => None,
        }
    }

    /// Whether `path` is below a stream of the cluster.
    pub(super) fn is_below(&self, path: &str) -> bool {
        self.above(path).is_some()
    }

    /// The stream that `path` is below.
    fn above(&self, path: &str) -> Option<Known> {
        above(path).find_map(|above| self.registry.known(above))
    }
}

/// What `path` is below, the nearest first.
pub(super) fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| Some(path.rsplit_once('/')?.0)).skip(1).take(DEEPEST)
}

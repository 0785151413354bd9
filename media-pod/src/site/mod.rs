//! What the front door serves: streams, snapshots, the status page, metrics, health.

mod access;
mod api;
mod elsewhere;
mod health;
mod internal;
mod links;
mod metrics;
mod pages;
mod point;
mod process;
mod status;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Response, StatusCode, header};
use millrace_http::{
    Access, AccessRequest, Counts, Forward, FrontDoor, Guest, Opening, PageRequest, Point, Site, Source,
};
use millrace_link::avrs::Way;

pub(crate) use access::decide as decide_access;
pub use internal::Internal;
pub(crate) use metrics::{family, pair};
pub(crate) use point::at as point_at;
pub use process::Usage;
pub(crate) use status::tracks;

use crate::{config::Reports, edge::Edge, guests, guests::Guests, linking::Lines, pod::Pod, rates::Rates};

/// See the module.
pub struct Front {
    /// What runs.
    pub pod: Arc<Pod>,
    /// What server pods have, where this is a balancer.
    pub edge: Option<Arc<Edge>>,
    /// How reading the configuration went.
    pub reports: Arc<Reports>,
    /// What flows, per second.
    pub rates: Arc<Rates>,
    /// The door itself, once it is open: it knows who is watching.
    pub door: OnceLock<Arc<FrontDoor>>,
    /// The door for probes and other media pods, where there is one.
    pub internal: OnceLock<Arc<FrontDoor>>,
    /// Native clients.
    pub guests: Guests,
    /// When the program started.
    pub started: std::time::SystemTime,
}

impl Site for Front {
    fn stream(&self, path: &str) -> Option<Arc<dyn Source>> {
        let own = self.pod.stream_at(path).map(|stream| stream as Arc<dyn Source>);
        let edge = self.edge.as_ref();
        own.or_else(|| edge?.source(path))
            .or_else(|| self.is_beyond(path).then(|| edge.map(|it| it.candidate(path)))?)
    }

    fn point(&self, path: &str) -> Option<Arc<dyn Point>> {
        let own = point::at(&self.pod, path).map(|point| point as Arc<dyn Point>);
        own.or_else(|| self.edge.as_ref()?.point(path))
    }

    fn page(&self, request: PageRequest) -> BoxFuture<'static, Response<Bytes>> {
        pages::answer(self, request)
    }

    fn authorize(&self, request: &AccessRequest<'_>) -> Access {
        let own = self.stream_name(request.path);
        if let (None, Some(access)) = (&own, self.edge.as_ref().and_then(|edge| edge.access(request.path))) {
            return access;
        }
        access::decide(&self.pod.resolved(), own.as_deref(), request)
    }

    fn ask(&self, request: &AccessRequest<'_>) -> Option<BoxFuture<'static, Access>> {
        self.ask_by(request, &Way::default())
    }

    fn takes(&self, first: &Opening<'_>) -> bool {
        guests::is_link(first)
    }

    fn guest(self: Arc<Self>, guest: Guest) -> BoxFuture<'static, ()> {
        guests::serve(self, guest)
    }

    fn forward(&self, request: &AccessRequest<'_>) -> Option<Forward> {
        if let Some(edge) = &self.edge
            && !pages::is_ours(self, request.path)
            && let Some(forward) = edge.forward(request)
        {
            return Some(forward);
        }
        let directory = self.pod.shop().directory.load();
        let path = request.path;
        let address =
            directory.streams.get(path).or_else(|| directory.streams.get(path.strip_suffix("/pic")?))?;
        let ours = || self.stream_name(path).is_some() || pages::is_ours(self, path);
        // What another media pod sent here is not sent further: two that are wrong about each other would never end.
        if directory.token.is_empty() || internal::relayed(&directory, request.relay) || ours() {
            return None;
        }
        Some(Forward { address: address.clone(), relay: directory.token.clone(), cache: None })
    }
}

impl Front {
    /// As [`Site::ask`], for a request that came through these clusters.
    pub fn ask_by(&self, request: &AccessRequest<'_>, way: &Way) -> Option<BoxFuture<'static, Access>> {
        let edge = self.edge.as_ref().filter(|_| self.stream_name(request.path).is_none())?;
        if let Some(url) = elsewhere::url(self, edge, request) {
            return Some(Box::pin(std::future::ready(Access::Elsewhere(url))));
        }
        if let Some(asking) = edge.ask(request) {
            return Some(asking);
        }
        if !request.stream || !self.is_beyond(request.path) {
            return None;
        }
        // Who may watch it here is for this Cluster to say, and whether this Cluster may have it for the other one.
        match access::decide_play(&self.pod.resolved(), request) {
            Access::Granted => edge.ask_beyond(request.path, request.method, way),
            no => Some(Box::pin(std::future::ready(no))),
        }
    }

    /// Whether only another Cluster can have a stream at `path`.
    fn is_beyond(&self, path: &str) -> bool {
        let Some(edge) = &self.edge else { return false };
        edge.may_be_beyond(path) && !pages::is_ours(self, path) && self.stream_name(path).is_none()
    }

    /// Whether who asks by `way` may have `path` from here, and through which clusters it comes then, this one first.
    pub fn on_the_way(&self, path: &str, way: &Way) -> Result<Way, String> {
        if let Some(edge) = &self.edge {
            return edge.on_the_way(path, way);
        }
        way.check(self.guests.here()).map_err(|wrong| wrong.to_string())?;
        Ok(Way::default().behind(self.guests.here()))
    }

    /// Its links to other members.
    fn lines(&self) -> &Arc<Lines> {
        self.edge.as_ref().map_or(&self.pod.shop().lines, |edge| &edge.lines)
    }

    /// All doors that are open.
    pub fn doors(&self) -> impl Iterator<Item = &Arc<FrontDoor>> {
        self.door.get().into_iter().chain(self.internal.get())
    }

    /// What was counted at all doors.
    fn counts(&self) -> Counts {
        self.doors().map(|door| door.counts()).sum()
    }

    /// The stream that a path belongs to: its own, or the one of its snapshot.
    fn stream_name(&self, path: &str) -> Option<String> {
        let stream = self.pod.stream_at(path).or_else(|| self.pod.stream_at(path.strip_suffix("/pic")?))?;
        Some(stream.spec().name.clone())
    }
}

/// A response with a body of text.
fn text(status: StatusCode, body: impl Into<String>) -> Response<Bytes> {
    with_type(status, "text/plain; charset=utf-8", body.into())
}

fn with_type(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

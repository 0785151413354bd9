//! What the front door serves: streams, snapshots, the status page, metrics, health.

mod access;
mod health;
mod metrics;
mod pages;
mod process;
mod status;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Response, StatusCode, header};
use millrace_http::{Access, AccessRequest, FrontDoor, PageRequest, Site, Source};

pub use process::Usage;

use crate::{config::Reports, pod::Pod, rates::Rates};

/// See the module.
pub struct Front {
    /// What runs.
    pub pod: Arc<Pod>,
    /// How reading the configuration went.
    pub reports: Arc<Reports>,
    /// What flows, per second.
    pub rates: Arc<Rates>,
    /// The door itself, once it is open: it knows who is watching.
    pub door: OnceLock<Arc<FrontDoor>>,
    /// When the program started.
    pub started: std::time::SystemTime,
}

impl Site for Front {
    fn stream(&self, path: &str) -> Option<Arc<dyn Source>> {
        self.pod.stream_at(path).map(|stream| stream as Arc<dyn Source>)
    }

    fn page(&self, request: PageRequest) -> BoxFuture<'static, Response<Bytes>> {
        pages::answer(self, request)
    }

    fn authorize(&self, request: &AccessRequest<'_>) -> Access {
        access::decide(&self.pod.resolved(), self.stream_name(request.path).as_deref(), request)
    }
}

impl Front {
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

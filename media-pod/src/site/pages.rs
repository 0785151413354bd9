//! Everything that is no stream.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{self, BoxFuture};
use http::{HeaderValue, Method, Response, StatusCode, header};
use millrace_crds::resolved::Resolved;
use millrace_http::{PageRequest, Refusal, has_tag};
use millrace_status::{PageOptions, content_security_policy, render_html};

use super::{Front, api, health, metrics, text, with_type};
use crate::{snapshot::Request, stream::Stream};

/// Answers `request`.
pub fn answer(front: &Front, request: PageRequest) -> BoxFuture<'static, Response<Bytes>> {
    if let Some(stream) = request.path.strip_suffix("/pic").and_then(|path| front.pod.stream_at(path)) {
        return picture(front, stream, request);
    }
    Box::pin(future::ready(at_once(front, &request)))
}

/// Whether there is a page at `path`.
pub fn is_ours(front: &Front, path: &str) -> bool {
    known(&front.pod.resolved(), path).is_some()
}

fn known(resolved: &Resolved, path: &str) -> Option<Known> {
    let (page, api) = (&resolved.cluster.status_page, &resolved.cluster.status_api);
    Some(match path {
        path if page.enabled && path == page.path => Known::StatusPage,
        path if api.enabled && path == api.path => Known::StatusApi,
        "/" if page.enabled => Known::Root,
        path if api.enabled && api::at(path).is_some() => api::at(path).map(Known::Api)?,
        "/metrics" => Known::Metrics,
        "/healthz" => Known::Alive,
        "/readyz" => Known::Ready,
        _ => return None,
    })
}

fn at_once(front: &Front, request: &PageRequest) -> Response<Bytes> {
    let resolved = front.pod.resolved();
    let (page, api) = (&resolved.cluster.status_page, &resolved.cluster.status_api);
    let Some(known) = known(&resolved, &request.path) else {
        if let Some(refusal) = front.edge.as_ref().and_then(|edge| edge.not_yet(&request.path)) {
            return refused(&refusal);
        }
        return not_found(page.enabled.then_some(page.path.as_str()));
    };
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD it\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match known {
        Known::Root => {
            let mut response = text(StatusCode::FOUND, "the status page is elsewhere\n");
            if let Ok(location) = page.path.parse() {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
        Known::StatusPage => {
            let status = front.status(page.clients);
            let options =
                PageOptions { json_path: api.enabled.then_some(api.path.as_str()), refresh_seconds: 2 };
            let mut response =
                with_type(StatusCode::OK, "text/html; charset=utf-8", render_html(&status, &options));
            let policy = HeaderValue::from_static(content_security_policy());
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            response
        }
        Known::StatusApi => match front.status(page.clients).to_json() {
            Ok(json) => with_type(StatusCode::OK, "application/json", json),
            Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
        },
        Known::Api(resource) => api::answer(front, resource, request.query.as_deref()),
        Known::Metrics => metrics::render(front),
        Known::Alive => health::alive(),
        Known::Ready => health::ready(front),
    }
}

enum Known {
    Root,
    StatusPage,
    StatusApi,
    Api(api::Resource),
    Metrics,
    Alive,
    Ready,
}

fn not_found(status_page: Option<&str>) -> Response<Bytes> {
    let hint = status_page.map_or_else(String::new, |path| format!("; {path} shows what is"));
    text(StatusCode::NOT_FOUND, format!("nothing is served here{hint}\n"))
}

fn refused(refusal: &Refusal) -> Response<Bytes> {
    let mut response = text(refusal.status, format!("{}\n", refusal.reason));
    if let Some(after) = refusal.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, after.as_secs().max(1).into());
    }
    response
}

/// How long a picture may be shown to all; not at all where not all may see it, or where it is to be of this moment.
fn fresh(open: bool, now: bool) -> Option<HeaderValue> {
    (open && !now).then_some(HeaderValue::from_static("public, max-age=1"))
}

/// Who asks has it already.
fn unchanged(response: &mut Response<Bytes>) {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().remove(header::CONTENT_TYPE);
    *response.body_mut() = Bytes::new();
}

fn picture(front: &Front, stream: Arc<Stream>, request: PageRequest) -> BoxFuture<'static, Response<Bytes>> {
    let Some(default) = stream.spec().snapshot else {
        let why = "snapshots of this stream are switched off\n";
        return Box::pin(future::ready(text(StatusCode::NOT_FOUND, why)));
    };
    let shop = front.pod.shop().clone();
    let open = super::access::is_open(&front.pod.resolved(), &stream.spec().name);
    Box::pin(async move {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD it\n");
        }
        let wanted = match Request::parse(request.query.as_deref(), &request.headers, default) {
            Ok(wanted) => wanted,
            Err(e) => return text(StatusCode::BAD_REQUEST, format!("{e}\n")),
        };
        match stream.snapshot(wanted, &shop).await {
            Ok(snapshot) => {
                let mut response = with_type(StatusCode::OK, snapshot.format.content_type(), snapshot.bytes);
                let headers = response.headers_mut();
                if let Some(fresh) = fresh(open, wanted.now) {
                    headers.insert(header::CACHE_CONTROL, fresh);
                    headers.insert(header::ETAG, snapshot.tag.clone());
                }
                if let Ok(age) = format!("{:.3}", snapshot.age.as_secs_f64()).parse() {
                    headers.insert("millrace-picture-age", age);
                }
                headers.insert(header::VARY, HeaderValue::from_static("Accept"));
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
                if headers.contains_key(header::ETAG) && has_tag(&request.headers, &snapshot.tag) {
                    unchanged(&mut response);
                }
                response
            }
            Err(refusal) => refused(&refusal),
        }
    })
}

//! Answers one request that hyper read.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{AUTHORIZATION, CONTENT_LENGTH, SERVER, USER_AGENT},
    request::Parts,
};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use millrace_bus::Join;

use crate::{
    Credentials, Forward, PageRequest, RELAY, Refusal, Source, cache,
    connection::Visit,
    counters::count,
    forward,
    head::user_agent,
    publish,
    queue::queue,
    reception::{Asked, Decision, ask, decide},
    reply,
    reply_body::Content,
    seat::{Arrival, seat},
    takeover::{log_refusal, peek},
    target::Target,
};

pub(crate) async fn answer(visit: &Visit, request: Request<Incoming>) -> Response<Content> {
    let (parts, body) = request.into_parts();
    let target = Target::new(&parts.uri);
    let credentials =
        parts.headers.get(AUTHORIZATION).and_then(|value| Credentials::from_header(value.as_bytes()));
    let asked = Asked {
        method: &parts.method,
        target: &target,
        credentials: credentials.as_ref(),
        peer: visit.peer,
        secure: visit.secure,
        relay: parts.headers.get(RELAY).map(HeaderValue::as_bytes),
    };
    let shared = &visit.shared;
    if publish::sends(&parts.method)
        && let Some(point) = shared.site.point(&target.path)
    {
        let protocol = protocol(parts.version, visit.secure);
        let response = publish::whole(visit, &parts, protocol, credentials, point, body).await;
        shared.answered(response.status(), visit.peer, parts.uri.path());
        return response;
    }
    let source = shared.site.stream(&target.path);
    let elsewhere = if source.is_none() { shared.site.forward(&asked.request(false)) } else { None };
    let response = if let Some(to) = elsewhere {
        forward(visit, &parts, &target, to).await
    } else {
        let access = if source.is_some() { ask(&*shared.site, &asked).await } else { None };
        match decide(&*shared.site, &asked, source, access) {
            Decision::Answer(response) => whole(response),
            Decision::Peek(peek) => reply::stream(&peek).map(|()| Content::Headless),
            Decision::Page => page(visit, &parts, &target).await,
            Decision::Watch { source, join } => watch(visit, &parts, &target, source, join).await,
        }
    };
    let response = if parts.method == Method::HEAD { headless(response) } else { response };
    let status = response.status();
    shared.answered(status, visit.peer, parts.uri.path());
    if status != StatusCode::NOT_FOUND {
        tracing::debug!(
            peer = %visit.peer, method = %parts.method, path = parts.uri.path(), status = status.as_u16(), "answered"
        );
    }
    response
}

fn whole(response: Response<Bytes>) -> Response<Content> {
    response.map(|body| Content::Whole(Full::new(body)))
}

/// Only the length of a body: hyper would send it to who asked for the head over HTTP/2.
fn headless(mut response: Response<Content>) -> Response<Content> {
    let length = match response.body() {
        // Of what did not change nothing is said.
        Content::Whole(_) if response.status() == StatusCode::NOT_MODIFIED => None,
        Content::Whole(body) => body.size_hint().exact(),
        Content::Queue(_) | Content::Headless | Content::Forwarded(_) | Content::Unread(_) => None,
    };
    if let Some(length) = length {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(HeaderValue::from(length));
        *response.body_mut() = Content::Whole(Full::default());
    }
    response
}

async fn forward(visit: &Visit, parts: &Parts, target: &Target, to: Forward) -> Response<Content> {
    match &to.cache {
        Some(scope) if scope.cache.is_on() => Box::pin(cache::answer(visit, parts, target, &to, scope)).await,
        _ => direct(visit, parts, target, &to).await,
    }
}

/// Asks another server, for this request alone.
pub(crate) async fn direct(visit: &Visit, parts: &Parts, target: &Target, to: &Forward) -> Response<Content> {
    let counters = &visit.shared.counters;
    count(&counters.forwarded);
    match forward::forward(visit.peer, parts, to).await {
        Ok(response) => response.map(Content::Forwarded),
        Err(error) => {
            count(&counters.forward_failures);
            unreachable(visit, target, &error.to_string())
        }
    }
}

/// The answer where another server gave none.
pub(crate) fn unreachable(visit: &Visit, target: &Target, error: &str) -> Response<Content> {
    let refusal = Refusal::unavailable(
        format!(
            "{} is served by another media pod, which is not reachable at the moment: {error}",
            target.path
        ),
        forward::AGAIN,
    );
    log_refusal(&refusal, visit.peer, &target.path);
    whole(reply::refusal(&refusal))
}

async fn page(visit: &Visit, parts: &Parts, target: &Target) -> Response<Content> {
    let mut headers = parts.headers.clone();
    headers.remove(AUTHORIZATION);
    let request = PageRequest {
        method: parts.method.clone(),
        path: target.path.clone(),
        query: target.query.clone(),
        headers,
        peer: visit.peer,
        secure: visit.secure,
    };
    let mut response = visit.shared.site.page(request).await;
    response.headers_mut().entry(SERVER).or_insert(HeaderValue::from_static(reply::NAME));
    whole(response)
}

/// hyper drops this where the client hangs up.
async fn watch(
    visit: &Visit,
    parts: &Parts,
    target: &Target,
    source: Arc<dyn Source>,
    join: Join,
) -> Response<Content> {
    let opened = match source.open(join).await {
        Ok(opened) => opened,
        Err(refusal) => {
            log_refusal(&refusal, visit.peer, &target.path);
            return whole(reply::refusal(&refusal));
        }
    };
    let agent = parts.headers.get(USER_AGENT).map_or_else(|| "".into(), |value| user_agent(value.as_bytes()));
    let arrival = Arrival {
        peer: visit.peer,
        path: target.path.clone(),
        protocol: protocol(parts.version, visit.secure),
        user_agent: agent,
        place: None,
    };
    let response = reply::stream(&peek(&opened));
    let (sink, body) = queue();
    seat(&visit.shared, arrival, opened, Bytes::new(), sink);
    response.map(|()| Content::Queue(body))
}

fn protocol(version: Version, secure: bool) -> &'static str {
    match (version, secure) {
        (Version::HTTP_2, false) => "h2c",
        (Version::HTTP_2, true) => "h2",
        (Version::HTTP_10, false) => "http/1.0",
        (_, false) => "http/1.1",
        (Version::HTTP_10, true) => "https/1.0",
        (_, true) => "https/1.1",
    }
}

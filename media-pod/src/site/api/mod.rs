//! `/api/v1`: what runs and who is connected, for programs.

mod gather;
mod model;
mod openapi;
mod page;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use self::page::Page;
use super::{Front, text, with_type};

/// A resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Sessions,
    Cluster,
    Members,
    Description,
}

/// All of them.
const RESOURCES: [(&str, Resource); 4] = [
    ("/api/v1/sessions", Resource::Sessions),
    ("/api/v1/cluster", Resource::Cluster),
    ("/api/v1/members", Resource::Members),
    ("/api/v1/openapi.json", Resource::Description),
];

/// The resource at `path`.
pub(super) fn at(path: &str) -> Option<Resource> {
    RESOURCES.iter().find(|(known, _)| *known == path).map(|(_, resource)| *resource)
}

/// The answer to a GET with this query.
pub(super) fn answer(front: &Front, resource: Resource, query: Option<&str>) -> Response<Bytes> {
    let page = match Page::of(query.unwrap_or_default()) {
        Ok(page) => page,
        Err(why) => return text(StatusCode::BAD_REQUEST, format!("{why}\n")),
    };
    match resource {
        Resource::Sessions => json(&gather::sessions(front, &page)),
        Resource::Cluster => json(&gather::cluster(front, &page)),
        Resource::Members => json(&gather::members(front)),
        Resource::Description => json(&openapi::description()),
    }
}

fn json(of: &impl Serialize) -> Response<Bytes> {
    match serde_json::to_vec(of) {
        Ok(json) => with_type(StatusCode::OK, "application/json", json),
        Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
    }
}

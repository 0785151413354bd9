//! `/healthz` and `/readyz`.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{Front, text};

/// Alive: it answers.
pub fn alive() -> Response<Bytes> {
    text(StatusCode::OK, "ok\n")
}

/// Ready: it has a configuration, and the runner of commands answers.
pub fn ready(front: &Front) -> Response<Bytes> {
    if front.pod.shop().agent.local_pid().is_none() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the runner of commands is not there\n");
    }
    let state = if front.reports.last_error().is_some() {
        "ok; the newest edit of the configuration was refused, the one before it runs\n"
    } else {
        "ok\n"
    };
    text(StatusCode::OK, state)
}

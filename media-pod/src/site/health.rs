//! `/healthz` and `/readyz`.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{Front, text};

/// Alive: it answers.
pub fn alive() -> Response<Bytes> {
    text(StatusCode::OK, "ok\n")
}

/// Ready: it has a configuration, all runners of commands have answered once, and it is not about to end. A runner that is
/// gone for a while is named and does not make it unready: what needs no command, or another runner, is served on.
pub fn ready(front: &Front) -> Response<Bytes> {
    let shop = front.pod.shop();
    let (absent, all_seen) = shop.runners.absent();
    let mut said: Vec<String> = absent;
    if front.reports.last_error().is_some() {
        said.push("the newest edit of the configuration was refused, the one before it runs".to_owned());
    }
    let heard = front.edge.as_ref().is_none_or(|edge| edge.ready());
    if !heard {
        said.push("no media pod has said yet which streams there are".to_owned());
    }
    let ready = all_seen && heard && !shop.is_draining();
    if shop.is_draining() {
        said.insert(0, format!("this media pod is about to end, {} feeds left", shop.draining.feeds_left()));
    } else if ready {
        said.insert(0, "ok".to_owned());
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    text(status, said.join("; ") + "\n")
}

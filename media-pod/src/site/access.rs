//! Who may do what. Pure.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use millrace_crds::{resolved::Resolved, shared::Grant};
use millrace_http::{Access, AccessRequest, Credentials};

/// Decides about one request. `stream` is the name of the stream that it is about, if it is about one.
pub fn decide(resolved: &Resolved, stream: Option<&str>, request: &AccessRequest<'_>) -> Access {
    // Who asks whether the program lives has no password to give. Of what is for other media pods there is nothing here.
    if matches!(request.path, "/healthz" | "/readyz") || request.path.starts_with("/.millrace/") {
        return Access::Granted;
    }
    let grant = match stream.and_then(|name| resolved.streams.get(name)) {
        Some(stream) => Some(resolved.play_grant(stream)),
        None => resolved.cluster.access.operate.as_ref(),
    };
    match grant {
        None => Access::Granted,
        Some(grant) => by_grant(grant, resolved, request.credentials),
    }
}

/// Decides about one request for a stream that is none of this Cluster's: as of those that say nothing of it themselves.
pub fn decide_play(resolved: &Resolved, request: &AccessRequest<'_>) -> Access {
    by_grant(&resolved.cluster.access.play, resolved, request.credentials)
}

/// Whether everybody may watch the stream of this name.
pub fn is_open(resolved: &Resolved, stream: &str) -> bool {
    resolved.streams.get(stream).is_some_and(|stream| resolved.play_grant(stream).anyone)
}

/// Decides whether who shows `credentials` may send to the feed of that name.
pub fn decide_publish(resolved: &Resolved, feed: &str, credentials: Option<&Credentials>) -> Access {
    resolved
        .feeds
        .get(feed)
        .map_or(Access::Forbidden, |feed| by_grant(resolved.publish_grant(feed), resolved, credentials))
}

fn by_grant(grant: &Grant, resolved: &Resolved, given: Option<&Credentials>) -> Access {
    if grant.anyone {
        return Access::Granted;
    }
    let Some(basic) = &grant.basic else { return Access::Forbidden };
    let right = resolved.basic(basic).zip(given).is_some_and(|((user, password), given)| {
        // Both are compared, whatever the first says: how long it takes tells nothing.
        let user = verify_slices_are_equal(user.as_bytes(), given.user.as_bytes()).is_ok();
        let password = verify_slices_are_equal(password.as_bytes(), given.password.as_bytes()).is_ok();
        user & password
    });
    if right { Access::Granted } else { Access::Challenge { realm: "Millrace".to_owned() } }
}

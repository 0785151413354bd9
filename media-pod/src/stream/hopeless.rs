//! Whether there is any use in waiting for the bytes of a stream or feed.

use std::time::Duration;

use http::StatusCode;
use millrace_http::Refusal;

use super::Stream;
use crate::{
    shop::Shop,
    state::{Condition, State},
};

/// Failures in a row, without a byte in between, after which nobody is kept waiting.
const HOPELESS: u32 = 3;
/// How long that is believed of a fallback that is not being tried.
const LATELY: Duration = Duration::from_secs(3);

/// Why nobody needs to wait, if nothing will come: of its command, or of a feed that it needs.
pub fn stream(stream: &Stream, shop: &Shop) -> Option<Refusal> {
    if stream.channel.is_closed() {
        return Some(unavailable("it is no more", false));
    }
    let spec = stream.spec();
    let own = || spec.command.as_ref().and_then(|_| Hopeless::of(&stream.conditions.get()));
    let feed = || spec.feeds.iter().find_map(|name| feed_at(shop, name, 0));
    let why = own().or_else(feed)?;
    Some(unavailable(&why.reason, !why.dead))
}

/// The same of a feed.
pub fn feed(shop: &Shop, name: &str) -> Option<Refusal> {
    if shop.feed(name).is_none_or(|feed| feed.channel.is_closed()) {
        return Some(unavailable("it is no more", false));
    }
    feed_at(shop, name, 0).map(|why| unavailable(&why.reason, !why.dead))
}

fn feed_at(shop: &Shop, name: &str, depth: usize) -> Option<Hopeless> {
    let feed = shop.feed(name)?;
    let condition = feed.conditions.get();
    // A fallback rests between two tries.
    let why = Hopeless::of(&condition).or_else(|| (depth > 0).then(|| Hopeless::lately(&condition))?)?;
    // Fallbacks do not go round: that was refused.
    let others = |name: &String| depth < 32 && feed_at(shop, name, depth + 1).is_some();
    feed.spec().fallback.iter().all(others).then_some(why)
}

struct Hopeless {
    dead: bool,
    reason: String,
}

impl Hopeless {
    /// Of what need not be trying at this moment.
    fn lately(condition: &Condition) -> Option<Self> {
        let exit = condition.last_exit.as_ref().filter(|_| condition.failures >= HOPELESS)?;
        let ago = exit.at.elapsed().unwrap_or_default();
        (ago < LATELY).then(|| Self { dead: false, reason: exit.reason.clone() })
    }

    fn of(condition: &Condition) -> Option<Self> {
        let dead = condition.state == State::Failed;
        if !dead && (condition.state != State::Backoff || condition.failures < HOPELESS) {
            return None;
        }
        let reason = condition.last_exit.as_ref().map_or("it ended", |exit| exit.reason.as_str()).to_owned();
        Some(Self { dead, reason })
    }
}

fn unavailable(why: &str, at_the_moment: bool) -> Refusal {
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        reason: format!("not available at the moment: {why}"),
        retry_after: at_the_moment.then_some(Duration::from_secs(2)),
    }
}

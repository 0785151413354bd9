//! Conditions, merged with those that were there.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use millrace_report::message::Doing;

use crate::reason::{Reason, Why};

/// A condition as it is to be.
pub struct Wanted {
    /// Its type.
    pub kind: &'static str,
    /// Whether it holds; nothing where that is not known.
    pub holds: Option<bool>,
    /// Why.
    pub why: Why,
}

/// `Ready`.
pub fn ready(holds: bool, why: Why) -> Wanted {
    Wanted { kind: "Ready", holds: Some(holds), why }
}

/// A condition that is said where it is wrong, and then until it is well again.
pub fn said(
    old: &[Condition],
    kind: &'static str,
    wrong: Option<Why>,
    well: Reason,
    sentence: &str,
) -> Option<Wanted> {
    match wrong {
        Some(why) => Some(Wanted { kind, holds: Some(true), why }),
        None if find(old, kind).is_some() => {
            Some(Wanted { kind, holds: Some(false), why: Why::new(well, sentence) })
        }
        None => None,
    }
}

/// `GopTooLong`, for as long as `doing` says so and then until it is well again; `raise` names what may be raised.
pub fn gop(old: &[Condition], doing: Option<&Doing>, raise: &str) -> Option<Wanted> {
    let long = doing.filter(|doing| doing.gop_too_long).map(|_| {
        let message = format!(
            "a group of pictures is larger than the cache, so ?keyframe waits for the next one \
             (let the encoder set a keyframe each second or two, or raise {raise})"
        );
        Why::new(Reason::GopTooLong, message)
    });
    said(old, "GopTooLong", long, Reason::GopFits, "groups of pictures fit into the cache")
}

/// The condition of this type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// The reason of `Ready`, if there is one.
pub fn reason(conditions: &[Condition]) -> Option<Reason> {
    reason_of(conditions, "Ready")
}

/// The reason of the condition of this type, if there is one.
pub fn reason_of(conditions: &[Condition], kind: &str) -> Option<Reason> {
    Reason::of(&find(conditions, kind)?.reason)
}

/// The conditions in this order, each with the time of its last change of status.
pub fn merge(
    old: &[Condition],
    wanted: Vec<Wanted>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let one = |it: Wanted| {
        let status = match it.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let before = find(old, it.kind).filter(|before| before.status == status);
        Condition {
            type_: it.kind.to_owned(),
            status: status.to_owned(),
            reason: it.why.reason.name().to_owned(),
            message: it.why.message.chars().take(4096).collect(),
            observed_generation: generation,
            last_transition_time: before
                .map_or_else(|| Time(seconds(now)), |it| it.last_transition_time.clone()),
        }
    };
    wanted.into_iter().map(one).collect()
}

/// Kubernetes keeps times in whole seconds.
pub fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

//! Events: one for each change of why something is not Ready (or not as another condition has it), and one when it is again.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};

use super::conditions;
use crate::{
    decision::{Decision, Event},
    reason::Reason,
};

/// Compares `Ready` with what it was.
pub fn compare(
    kind: &'static str,
    metadata: &ObjectMeta,
    old: &[Condition],
    new: &[Condition],
    into: &mut Decision,
) {
    compare_of("Ready", kind, metadata, old, new, into);
}

/// Compares the condition of this type with what it was.
pub fn compare_of(
    of: &str,
    kind: &'static str,
    metadata: &ObjectMeta,
    old: &[Condition],
    new: &[Condition],
    into: &mut Decision,
) {
    let Some((condition, reason)) =
        conditions::find(new, of).and_then(|it| Some((it, Reason::of(&it.reason)?)))
    else {
        return;
    };
    let before = conditions::reason_of(old, of);
    let worse = reason.is_warning() && before != Some(reason);
    let better = !reason.is_warning() && condition.status == "True" && before.is_some_and(Reason::is_warning);
    if worse || better {
        into.events.push(Event {
            kind,
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            reason,
            note: condition.message.chars().take(1024).collect(),
        });
    }
}

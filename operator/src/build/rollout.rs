//! Which pods a slot has, which it is to have, and which go. A new one is Ready before the old one goes; one that died
//! is replaced at once, unless it hardly lived.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use kube::ResourceExt;

use super::{
    Owner,
    pod::{self, Template},
    same,
};
use crate::{
    decision::{Apply, Decision, Delete, Kind, Manager, Object},
    labels, names,
};

/// A pod that ended sooner than this after it was made is replaced only then: the node that refused it would refuse the
/// next one, too.
const HASTY: Duration = Duration::from_secs(10);

/// What a slot wants of its pods.
pub struct Wants<'a> {
    /// Its only Feed.
    pub feed: Option<&'a str>,
    /// Another pod is ready to take over.
    pub standby: bool,
    /// Whether a pod that is to go still owns something that others can be given.
    pub busy: &'a dyn Fn(&Pod) -> bool,
}

/// Brings a slot's pods to where they should be, by one step.
pub fn step(
    owner: &Owner,
    slot: &str,
    template: &Template,
    asked: &Wants<'_>,
    pods: &[&Pod],
    now: Timestamp,
    into: &mut Decision,
) {
    let (living, dead): (Vec<&Pod>, Vec<&Pod>) = pods.iter().copied().partition(|pod| lives(owner, pod));
    let count = 1 + usize::from(asked.standby);
    let fits = |pod: &Pod| pod.labels().get(labels::TEMPLATE) == Some(&template.hash) && !is_emptied(pod);
    let (mut right, mut others): (Vec<&Pod>, Vec<&Pod>) = living.into_iter().partition(|pod| fits(pod));
    best_first(&mut right);
    best_first(&mut others);
    let waits = right.is_empty().then(|| dead.iter().filter_map(|pod| waits(pod, now)).max()).flatten();
    if let Some(rest) = waits {
        into.again = Some(into.again.map_or(rest, |again| again.min(rest)));
    } else {
        for there in right.iter().take(count) {
            mend(owner, slot, template, asked.feed, there, into);
        }
    }
    if waits.is_none() && right.len() < count {
        let emptied = others.iter().filter(|pod| is_emptied(pod));
        let others = dead.iter().chain(&right).chain(emptied);
        let mut uids: Vec<&str> = others.filter_map(|pod| pod.metadata.uid.as_deref()).collect();
        uids.sort_unstable();
        let name = names::pod(slot, &template.hash, &uids);
        let pod = pod::build(owner, slot, &name, template, asked.feed);
        into.apply.push(Apply { manager: Manager::Build, object: Object::Pod(Box::new(pod)) });
        into.apply.push(pod::role(owner, &name));
    }
    // One of the old ones stays until a new one is Ready.
    let stays = usize::from(!right.first().is_some_and(|pod| is_ready(pod)));
    let gone = right.iter().skip(count).chain(others.iter().skip(stays));
    let gone: Vec<&Pod> = gone.copied().collect();
    empty(&gone, asked.busy, into);
    let ended = dead.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none() && waits.is_none());
    into.delete.extend(ended.map(delete));
}

/// Pods that are to go: what they own is moved first.
pub fn empty(pods: &[&Pod], busy: &dyn Fn(&Pod) -> bool, into: &mut Decision) {
    let (busy, idle): (Vec<&Pod>, Vec<&Pod>) = pods.iter().copied().partition(|pod| busy(pod));
    into.plan.outgoing.extend(busy.iter().filter_map(|pod| pod.metadata.uid.as_deref()?.parse().ok()));
    into.delete.extend(idle.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).map(delete));
}

/// Labels and annotations change without another pod; images that somebody edited are put right.
fn mend(
    owner: &Owner,
    slot: &str,
    template: &Template,
    feed: Option<&str>,
    there: &Pod,
    into: &mut Decision,
) {
    let wanted = pod::build(owner, slot, &there.name_any(), template, feed);
    if !same::holds(&there.metadata, &wanted.metadata) || images(there) != images(&wanted) {
        into.apply.push(Apply { manager: Manager::Build, object: Object::Pod(Box::new(wanted)) });
    }
    if there.labels().get(labels::ROLE).map(String::as_str) != Some(labels::SERVER) {
        into.apply.push(pod::role(owner, &there.name_any()));
    }
}

fn images(pod: &Pod) -> Vec<(&str, Option<&str>)> {
    let spec = pod.spec.iter();
    let all = spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    all.map(|container| (container.name.as_str(), container.image.as_deref())).collect()
}

/// To delete a pod.
pub fn delete(pod: &Pod) -> Delete {
    Delete { kind: Kind::Pod, name: pod.name_any(), uid: pod.uid().unwrap_or_default() }
}

fn best_first(pods: &mut [&Pod]) {
    pods.sort_by_key(|pod| {
        (!is_ready(pod), pod.metadata.creation_timestamp.clone(), pod.metadata.name.clone())
    });
}

/// Whether a pod runs, or is about to.
pub fn lives(owner: &Owner, pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none()
        && !matches!(phase, Some("Succeeded" | "Failed"))
        && owner.controls(&pod.metadata)
}

/// Whether somebody wants it emptied: another takes its place.
fn is_emptied(pod: &Pod) -> bool {
    pod.annotations().get(labels::DRAIN).is_some_and(|it| it == "true")
}

/// Whether Kubernetes says that a pod is Ready.
pub fn is_ready(pod: &Pod) -> bool {
    ready(pod).is_some()
}

/// The condition by which Kubernetes says that a pod is Ready.
pub fn ready(pod: &Pod) -> Option<&PodCondition> {
    let mut conditions = pod.status.as_ref()?.conditions.as_ref()?.iter();
    conditions.find(|it| it.type_ == "Ready" && it.status == "True")
}

/// How long to wait until a pod that ended in haste is replaced.
fn waits(pod: &Pod, now: Timestamp) -> Option<Duration> {
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let lived = now.duration_since(pod.metadata.creation_timestamp.as_ref()?.0);
    let lived = Duration::try_from(lived).unwrap_or_default();
    HASTY.checked_sub(lived).filter(|rest| !rest.is_zero())
}

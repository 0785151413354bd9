//! What a Cluster says of its failover: whether it is paused, and which pods are being emptied, or cannot be.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use millrace_crds::kinds::Cluster;
use millrace_fencing::PodUid;

use super::conditions::{self, Wanted};
use crate::{
    decision::{Decision, Event},
    reason::{Reason, Why},
    view::View,
};

/// Pods that are named, at most.
const NAMED: usize = 5;

/// The conditions; and an Event when failover is paused, or a drain waits.
pub fn conditions(view: &View, cluster: &Cluster, old: &[Condition], into: &mut Decision) -> Vec<Wanted> {
    let paused = view.found.paused.map(|(silent, of)| {
        let message = format!(
            "{silent} of {of} server pods fell silent at once, which is more likely the network or the operator than they: \
             nothing is failed over for silence (if they are really gone: kubectl annotate cluster.millrace.dev {} \
             millrace.dev/failover=resume)",
            view.name
        );
        Why::new(Reason::FailoverPaused, message)
    });
    let drains = waits(view).or_else(|| drains(view));
    let news = [("FailoverPaused", &paused), ("Draining", &drains)].into_iter().filter_map(|(kind, why)| {
        let why = why.as_ref().filter(|why| why.reason.is_warning())?;
        let before = conditions::find(old, kind).filter(|it| it.status == "True");
        before.is_none_or(|it| it.reason != why.reason.name()).then_some(why)
    });
    into.events.extend(news.map(|why| Event {
        kind: "Cluster",
        name: cluster.name_any(),
        uid: cluster.uid().unwrap_or_default(),
        reason: why.reason,
        note: why.message.clone(),
    }));
    let paused = conditions::said(
        old,
        "FailoverPaused",
        paused,
        Reason::FailoverWatches,
        "silence of a media pod is believed",
    );
    let draining =
        conditions::said(old, "Draining", drains, Reason::NotDraining, "no media pod is being emptied");
    paused.into_iter().chain(draining).collect()
}

fn drains(view: &View) -> Option<Why> {
    let left: usize = view.found.drains.values().map(|(left, _)| left).sum();
    let names = names(view, view.found.drains.keys())?;
    let what = format!("{names} are being emptied; {left} Feeds and Streams are left there");
    Some(Why::new(Reason::Draining, what))
}

fn waits(view: &View) -> Option<Why> {
    let names = names(view, view.found.waits.iter())?;
    let what = format!(
        "on nodes that take nothing new: {names}; no other media pod can take all that they have, which runs on there \
         (kubectl annotate pod NAME millrace.dev/drain=true has another made for it first; or kubectl uncordon)"
    );
    Some(Why::new(Reason::DrainWaits, what))
}

/// The names of some pods, where there are any.
fn names<'a>(view: &View, uids: impl ExactSizeIterator<Item = &'a PodUid>) -> Option<String> {
    let more = uids.len().saturating_sub(NAMED);
    let name = |uid: &PodUid| {
        let pod = view.pods.iter().find(|pod| pod.metadata.uid.as_deref() == Some(uid.as_str()));
        pod.map_or_else(|| uid.to_string(), |pod| pod.name_any())
    };
    let names: Vec<String> = uids.take(NAMED).map(name).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{}{more}", names.join(", ")))
}

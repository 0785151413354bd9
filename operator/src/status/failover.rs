//! What a Cluster says of its failover: whether it is paused, and which pods are being emptied.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use millrace_crds::kinds::Cluster;

use super::conditions::{self, Wanted};
use crate::{
    decision::{Decision, Event},
    reason::{Reason, Why},
    view::View,
};

/// Pods that are named, at most.
const NAMED: usize = 5;

/// The conditions; and an Event when failover is paused.
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
    let before = conditions::find(old, "FailoverPaused").is_some_and(|it| it.status == "True");
    if let Some(why) = paused.as_ref().filter(|_| !before) {
        into.events.push(Event {
            kind: "Cluster",
            name: cluster.name_any(),
            uid: cluster.uid().unwrap_or_default(),
            reason: why.reason,
            note: why.message.clone(),
        });
    }
    let paused = conditions::said(
        old,
        "FailoverPaused",
        paused,
        Reason::FailoverWatches,
        "silence of a media pod is believed",
    );
    let draining =
        conditions::said(old, "Draining", drains(view), Reason::NotDraining, "no media pod is being emptied");
    paused.into_iter().chain(draining).collect()
}

fn drains(view: &View) -> Option<Why> {
    let left: usize = view.found.drains.values().map(|(left, _)| left).sum();
    if view.found.drains.is_empty() {
        return None;
    }
    let name = |uid: &str| {
        let pod = view.pods.iter().find(|pod| pod.metadata.uid.as_deref() == Some(uid));
        pod.map_or_else(|| uid.to_owned(), |pod| pod.name_any())
    };
    let names: Vec<String> = view.found.drains.keys().take(NAMED).map(|uid| name(uid.as_str())).collect();
    let more = view.found.drains.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what =
        format!("{}{more} are being emptied; {left} Feeds and Streams are left there", names.join(", "));
    Some(Why::new(Reason::Draining, what))
}

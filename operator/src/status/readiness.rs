//! Whether a Feed or Stream is Ready: a chain of checks, each of which says why not; the first that does is told.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Condition};
use millrace_report::message::{Doing, State};

use super::{conditions, pod_state};
use crate::{
    build::rollout,
    decide::{Known, Place, Slot},
    reason::{Reason, Why},
    view::{Reported, View},
};

/// A media pod looks for the operator every two seconds, and may be told late of another replica.
const GRACE: Duration = Duration::from_secs(6);

/// Whether Feeds are Ready, by name, and why.
pub type Feeds = BTreeMap<String, (bool, Why)>;
/// Whether Streams are Ready.
pub type Streams = BTreeMap<String, bool>;

/// Where something runs, and what is known of it.
pub struct Case<'a> {
    /// Everything.
    pub view: &'a View,
    /// Why it does not run as it is written.
    pub fault: Option<&'a Why>,
    /// The fault of its Cluster.
    pub cluster: Option<&'a Why>,
    /// Its slot.
    pub slot: Option<&'a Slot>,
    /// The pod that does the slot's work.
    pub pod: Option<&'a Pod>,
    /// Pods of the slot that are not Ready yet, beside the one that does its work.
    pub successors: Vec<&'a Pod>,
    /// What that pod reported.
    pub report: Option<&'a Reported>,
    /// What it does.
    pub doing: Option<&'a Doing>,
    /// Whether it is to run though nobody uses it.
    pub continuous: bool,
}

impl<'a> Case<'a> {
    /// Of what is in a slot.
    pub fn new(view: &'a View, known: &'a Known<'a>, Place { slot, pod }: Place<'a>) -> Self {
        let others = slot.and_then(|(name, _)| known.pods.get(name)).into_iter().flatten();
        let successors = others.copied().filter(|other| {
            pod.is_some_and(|pod| pod.metadata.uid != other.metadata.uid)
                && other.metadata.deletion_timestamp.is_none()
                && !rollout::is_ready(other)
        });
        let report = pod.and_then(|pod| view.reports.get(pod.metadata.uid.as_ref()?));
        Self {
            view,
            fault: None,
            cluster: known.settled.faults.cluster.as_ref(),
            slot: slot.map(|(_, slot)| slot),
            pod,
            successors: successors.collect(),
            report,
            doing: None,
            continuous: false,
        }
    }

    /// Whether it is Ready, and why.
    pub fn ready(&self, old: &[Condition]) -> (bool, Why) {
        let wrong = no_cluster(self)
            .or_else(|| self.fault.cloned())
            .or_else(|| no_slot(self))
            .or_else(|| too_large(self))
            .or_else(|| pod_state::check(self.pod))
            .or_else(|| silent(self))
            .or_else(|| refused(self))
            .or_else(|| replaced(self));
        match (wrong, self.doing) {
            (Some(why), _) => (false, why),
            (None, Some(doing)) => state(self, doing, old),
            (None, None) => (
                false,
                Why::new(
                    Reason::ConfigurationPending,
                    "the media pod does not run the newest configuration yet",
                ),
            ),
        }
    }
}

/// The Cluster must be there and stay.
fn no_cluster(case: &Case<'_>) -> Option<Why> {
    let name = &case.view.name;
    match &case.view.cluster {
        None if case.cluster.is_some() => None,
        None => Some(Why::new(
            Reason::ClusterNotFound,
            format!("spec.clusterRef.name: there is no Cluster {name} (create it in this namespace)"),
        )),
        Some(cluster) if cluster.metadata.deletion_timestamp.is_some() => {
            Some(Why::new(Reason::ClusterNotFound, format!("the Cluster {name} is being deleted")))
        }
        Some(_) => None,
    }
}

/// It must have been put somewhere; a Cluster that cannot run has no place.
fn no_slot(case: &Case<'_>) -> Option<Why> {
    match (case.slot, case.cluster) {
        (Some(_), _) => None,
        (None, Some(_)) => Some(Why::new(
            Reason::ClusterInvalid,
            format!("the Cluster {} cannot run: its Ready condition says why", case.view.name),
        )),
        (None, None) => Some(Why::new(Reason::Pending, "it will be put into a media pod")),
    }
}

/// The slot's configuration must fit into a `ConfigMap`.
fn too_large(case: &Case<'_>) -> Option<Why> {
    case.slot.filter(|slot| slot.content.too_large).map(|_| {
        let message = "the configuration of its media pod would be larger than 1 MiB, so that the one before runs on \
            (fewer Feeds a pod in spec.servers.packing, or shorter commands)";
        Why::new(Reason::TooLarge, message)
    })
}

/// The media pod must be heard; one that has just become Ready may not have found the operator yet.
fn silent(case: &Case<'_>) -> Option<Why> {
    if case.report.is_some() {
        return None;
    }
    Some(match case.pod.and_then(|pod| grace(pod, case.view.now)) {
        Some(_) => Why::new(Reason::PodStarting, "the media pod is Ready, and has not been heard yet"),
        None => Why::new(Reason::PodSilent, "the media pod is Ready, but the operator does not hear it"),
    })
}

/// How much longer a pod that became Ready may be silent.
pub fn grace(pod: &Pod, now: Timestamp) -> Option<Duration> {
    let since = now.duration_since(rollout::ready(pod)?.last_transition_time.as_ref()?.0).unsigned_abs();
    GRACE.checked_sub(since).filter(|left| !left.is_zero())
}

/// The media pod must have taken the configuration.
fn refused(case: &Case<'_>) -> Option<Why> {
    let refused = case.report?.refused.as_ref()?;
    let newest = case.slot?.content.configuration.revision;
    (refused.revision == newest).then(|| {
        let message =
            format!("the media pod refused the configuration and runs the one before: {}", refused.reason);
        Why::new(Reason::ConfigurationRefused, message)
    })
}

/// The pod that is to run what it is now must be able to come; the one before runs on.
fn replaced(case: &Case<'_>) -> Option<Why> {
    let why = case.successors.iter().find_map(|pod| pod_state::stuck(pod))?;
    Some(Why::new(why.reason, format!("{}; the media pod before it runs on with what it had", why.message)))
}

/// What it does decides the rest. One that rests is Ready: it starts for the first viewer.
fn state(case: &Case<'_>, doing: &Doing, old: &[Condition]) -> (bool, Why) {
    let ended = || doing.last_exit.as_ref().map_or_else(String::new, |exit| format!(": {}", exit.reason));
    match doing.state {
        State::Idle => (true, Why::new(Reason::Idle, "it starts for the first viewer")),
        State::Running => (true, Why::new(Reason::Running, "it gives media")),
        State::Starting => starting(case, old),
        State::Silent => (false, Why::new(Reason::Silent, "it is alive and gives nothing")),
        State::Backoff => {
            (false, Why::new(Reason::Backoff, format!("it ended and is started again{}", ended())))
        }
        State::Failed => {
            (false, Why::new(Reason::Failed, format!("it ended and is not started again{}", ended())))
        }
    }
}

/// A start after a failure is no success yet, or its condition would swing with each try. Else, what runs on demand is
/// as Ready as while it rested; what is to run always is Ready when it gives something.
fn starting(case: &Case<'_>, old: &[Condition]) -> (bool, Why) {
    let before = conditions::reason(old).filter(|it| it.gives_nothing());
    if let Some((reason, condition)) = before.zip(conditions::find(old, "Ready")) {
        return (false, Why::new(reason, condition.message.clone()));
    }
    (!case.continuous, Why::new(Reason::Starting, "it was started and has given nothing yet"))
}

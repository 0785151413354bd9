//! Whether a pod that is to go still has work. Pure.

use k8s_openapi::api::core::v1::Pod;
use millrace_fencing::PodUid;

use super::PATIENCE;
use crate::view::View;

/// Whether a pod that is alive owns something that others can be given, and time is not up.
pub fn busy(view: &View, pod: &Pod) -> bool {
    let Some(uid) = pod.metadata.uid.as_deref() else { return false };
    if !view.reports.contains_key(uid) {
        return false;
    }
    match PodUid::new(uid).ok().and_then(|uid| view.found.drains.get(&uid)) {
        Some((left, seconds)) => *left > 0 && *seconds < PATIENCE.as_secs(),
        // It is not known yet that it is to be emptied.
        None => view.owners.values().any(|grant| grant.holder.pod.as_str() == uid),
    }
}

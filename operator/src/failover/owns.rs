//! Whether a pod that is to go still has work. Pure.

use k8s_openapi::api::core::v1::Pod;
use millrace_fencing::PodUid;

use super::PATIENCE;
use crate::view::View;

/// Whether a pod that is alive owns something that others can be given, and time is not up.
pub fn busy(view: &View, pod: &Pod) -> bool {
    let Some(uid) = pod.metadata.uid.as_deref() else { return false };
    match PodUid::new(uid).ok().and_then(|uid| view.found.drains.get(&uid)) {
        Some((left, seconds)) => *left > 0 && *seconds < PATIENCE.as_secs(),
        // It is not known yet that it is to be emptied; or it is believed to be gone.
        None => {
            view.reports.contains_key(uid)
                && view.owners.values().any(|grant| grant.holder.pod.as_str() == uid)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{scenarios::faulty::feed, simulated::Simulated};

    #[test]
    fn a_pod_that_is_being_emptied_is_not_given_up_because_its_beats_are_late() {
        let cluster =
            "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec: {}\n";
        let mut all =
            Simulated::new(&(cluster.to_owned() + &feed("door", "source: {command: [ffmpeg, \"-\"]}")));
        all.settle();
        let pod = all.view.pods.first().unwrap().clone();
        all.view.reports.clear();
        assert!(!busy(&all.view, &pod));
        for (drain, expected) in [((1, 3), true), ((0, 3), false), ((1, 30), false)] {
            all.view.found.drains.insert(pod.metadata.uid.clone().unwrap().parse().unwrap(), drain);
            assert_eq!(busy(&all.view, &pod), expected, "{drain:?}");
        }
    }
}

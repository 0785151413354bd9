//! Whether balancers have links to the Clusters that theirs names.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Condition};
use millrace_crds::FinalCluster;

use super::{
    conditions::{self, Wanted},
    readiness,
};
use crate::{
    balancing,
    build::rollout,
    decision::Decision,
    link::Links,
    reason::{Reason, Why},
    view::View,
};

/// Its type.
pub const KIND: &str = "UpstreamsConnected";
/// A media pod looks for replicas of the operator every two seconds, and names are cached for five.
const DEAF: Duration = Duration::from_secs(8);

/// What one balancer says.
enum Says<'a> {
    /// Links of which something has settled.
    Links(&'a Links),
    /// It may be heard in a moment: after this time it counts as one that says nothing.
    Soon(Duration),
    /// It is not heard, or too old to say anything of links.
    Nothing,
}

/// The condition; nothing where the Cluster names no upstreams.
pub fn condition(
    view: &View,
    cluster: &FinalCluster,
    generation: Option<i64>,
    old: &[Condition],
    into: &mut Decision,
) -> Option<Wanted> {
    if cluster.upstreams.is_empty() {
        return None;
    }
    let ready: Vec<Says<'_>> =
        balancing::living(view).filter(|pod| rollout::is_ready(pod)).map(|pod| says(view, pod)).collect();
    let names: Vec<&str> = cluster.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    let old = conditions::find(old, KIND);
    if let Some(message) = lost(&names, &ready, old) {
        return Some(Wanted { kind: KIND, holds: Some(false), why: Why::new(Reason::UpstreamLost, message) });
    }
    let complete = |says: &&Says<'_>| matches!(says, Says::Links(links) if names.iter().all(|name| links.contains_key(*name)));
    let unsaid: Vec<&Says<'_>> = ready.iter().filter(|says| !complete(says)).collect();
    if !ready.is_empty() && unsaid.is_empty() {
        let message = format!("all balancers have links to {}", names.join(", "));
        return Some(Wanted { kind: KIND, holds: Some(true), why: Why::new(Reason::Connected, message) });
    }
    let soon = unsaid.iter().filter_map(|says| if let Says::Soon(left) = says { Some(*left) } else { None });
    into.again = into.again.into_iter().chain(soon).min();
    let settles = !unsaid.is_empty() && !unsaid.iter().any(|says| matches!(says, Says::Nothing));
    if let Some(stays) = old.filter(|old| settles && old.observed_generation == generation).and_then(same) {
        return Some(stays);
    }
    let message = match (unsaid.len(), ready.len()) {
        (_, 0) => "no balancer is Ready".to_owned(),
        (unsaid, all) => format!(
            "{unsaid} of {all} balancers have not said yet whether they have links to {} (if it stays: they are not heard, or \
             older than the operator)",
            names.join(", ")
        ),
    };
    Some(Wanted { kind: KIND, holds: None, why: Why::new(Reason::NotReported, message) })
}

fn says<'a>(view: &'a View, pod: &Arc<Pod>) -> Says<'a> {
    let report = pod.metadata.uid.as_ref().and_then(|uid| view.reports.get(uid));
    if let Some(report) = report {
        return report.upstreams.as_ref().map_or(Says::Nothing, |links| Says::Links(links));
    }
    let deaf = DEAF.checked_sub(view.listens_for).filter(|left| !left.is_zero());
    let left = readiness::grace(pod, view.now).into_iter().chain(deaf).max();
    left.map_or(Says::Nothing, Says::Soon)
}

/// What it was, where it was something.
fn same(old: &Condition) -> Option<Wanted> {
    let holds = match old.status.as_str() {
        "True" => true,
        "False" => false,
        _ => return None,
    };
    let why = Why::new(Reason::of(&old.reason)?, old.message.as_str());
    Some(Wanted { kind: KIND, holds: Some(holds), why })
}

/// The upstreams to which links are missing: how many, and why.
fn lost(names: &[&str], ready: &[Says<'_>], old: Option<&Condition>) -> Option<String> {
    let line = |name: &&str| {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for says in ready {
            if let Says::Links(links) = says
                && let Some(link) = links.get(*name).filter(|link| !link.up)
            {
                *reasons.entry(link.why.as_str()).or_default() += 1;
            }
        }
        let missing: usize = reasons.values().sum();
        let lines = reasons.into_iter().map(|(why, count)| {
            let why = if why.is_empty() { "it does not say why" } else { why };
            (count, format!("{name}: no link from {missing} of {} balancers: {why}", ready.len()))
        });
        // Of several reasons the one that was told is as good as any: it costs no request.
        let told = |line: &str| old.is_some_and(|old| old.message.split("; ").any(|part| part == line));
        lines.max_by_key(|(count, line)| (told(line), *count, Reverse(line.clone()))).map(|(_, line)| line)
    };
    let lines: Vec<String> = names.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

#[cfg(test)]
mod tests {
    use millrace_report::upstream::UpstreamLink;
    use proptest::prelude::*;

    use super::*;

    const WHYS: [&str; 3] = ["connection refused", "it does not answer in time", ""];

    /// What of each upstream: nothing has settled, up, or away for one of these reasons.
    fn links(of: &[u8]) -> Links {
        let link = |(place, kind): (usize, &u8)| {
            let link = match kind {
                0 => return None,
                1 => UpstreamLink::up(),
                kind => UpstreamLink::away(WHYS[usize::from(kind - 2)]),
            };
            Some((format!("u{place}"), link))
        };
        of.iter().enumerate().filter_map(link).collect()
    }

    #[test]
    fn the_reason_that_most_balancers_give_is_told_and_stays_while_one_gives_it() {
        let all = [links(&[2, 1]), links(&[3, 1]), links(&[3, 0]), links(&[1, 1])];
        let ready: Vec<Says<'_>> = all.iter().map(Says::Links).collect();
        let told = lost(&["u0", "u1"], &ready, None).unwrap();
        assert_eq!(told, "u0: no link from 3 of 4 balancers: it does not answer in time");
        let old = Condition {
            message: "u0: no link from 3 of 4 balancers: connection refused; u1: no link from 1 of 4 balancers: x".into(),
            ..serde_json::from_str(
                r#"{"type": "", "status": "", "reason": "", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}"#,
            )
            .unwrap()
        };
        let told = lost(&["u0", "u1"], &ready, Some(&old)).unwrap();
        assert_eq!(told, "u0: no link from 3 of 4 balancers: connection refused");
    }

    proptest! {
        #[test]
        fn each_upstream_that_a_balancer_lacks_is_named_with_how_many_and_no_other(
            all in proptest::collection::vec(proptest::option::of(proptest::collection::vec(0..5_u8, 3)), 0..8)
        ) {
            let links: Vec<Option<Links>> = all.iter().map(|it| it.as_deref().map(links)).collect();
            let ready: Vec<Says<'_>> =
                links.iter().map(|it| it.as_ref().map_or(Says::Nothing, Says::Links)).collect();
            let told = lost(&["u0", "u1", "u2"], &ready, None).unwrap_or_default();
            for place in 0..3 {
                let missing = all.iter().flatten().filter(|it| it[place] > 1).count();
                let part = format!("u{place}: no link from {missing} of {} balancers: ", all.len());
                prop_assert_eq!(told.contains(&part), missing > 0, "{}", told);
                prop_assert_eq!(told.contains(&format!("u{place}")), missing > 0, "{}", told);
            }
        }
    }
}

//! A media pod.

use k8s_openapi::{
    api::core::v1::{
        Pod, PodSecurityContext, PodSpec, SeccompProfile, Sysctl, Toleration, TopologySpreadConstraint,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta},
};
use millrace_crds::{FinalCluster, Resolved};

use super::{DRAIN, Owner, containers, same, volumes};
use crate::{
    decision::{Apply, Manager, Object},
    labels, names,
    view::Settings,
};

/// The user and group of every process: nobody special.
const NOBODY: i64 = 65532;

/// What a pod of a slot is to be: its spec, and the spec's hash.
#[derive(Clone, Debug)]
pub struct Template {
    /// The spec.
    pub spec: PodSpec,
    /// Its hash: a pod of another one is replaced.
    pub hash: String,
}

/// The template of a slot's pods.
pub fn template(owner: &Owner, settings: &Settings, slot: &str, part: &Resolved) -> Template {
    let servers = &part.cluster.servers;
    let image = servers.image.as_ref().unwrap_or(&settings.media_pod_image);
    let transcoders = containers::transcoders(part);
    let (files, mounts) = volumes::files(part);
    let mut bus = containers::bus(owner, settings, image, slot, part, &transcoders);
    bus.volume_mounts.get_or_insert_default().extend(mounts);
    let mut all = vec![volumes::config(slot), volumes::secret(slot), volumes::empty("bin")];
    for it in &transcoders {
        all.extend([volumes::empty(&it.run()), volumes::empty(&it.tmp())]);
    }
    all.extend(files);
    let install = std::iter::once(containers::install(settings, image));
    let init = install.chain(transcoders.iter().map(|it| containers::transcoder(settings, it))).collect();
    let spec = PodSpec {
        init_containers: Some(init),
        containers: vec![bus],
        volumes: Some(all),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        restart_policy: Some("Always".to_owned()),
        termination_grace_period_seconds: Some(DRAIN + 10),
        security_context: Some(confined(&part.cluster)),
        node_selector: (!servers.node_selector.is_empty()).then(|| servers.node_selector.clone()),
        affinity: servers.affinity.clone(),
        tolerations: Some(tolerations(&servers.tolerations)),
        topology_spread_constraints: Some(spread(owner, slot, part)),
        ..PodSpec::default()
    };
    let hash = names::hash_of(&spec).chars().take(16).collect();
    Template { spec, hash }
}

/// Server pods are spread over nodes; a standby is rather on another one than its fellow. One or the other: Kubernetes takes
/// one constraint of a kind for each topology.
fn spread(owner: &Owner, slot: &str, part: &Resolved) -> Vec<TopologySpreadConstraint> {
    let all = TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(LabelSelector {
            match_labels: Some(labels::map([(labels::CLUSTER, &owner.name)])),
            // Its part a pod is told later, and it is counted from the first moment.
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: labels::ROLE.to_owned(),
                operator: "NotIn".to_owned(),
                values: Some(vec![labels::BALANCER.to_owned()]),
            }]),
        }),
        ..TopologySpreadConstraint::default()
    };
    let fellows = TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(LabelSelector {
            match_labels: Some(labels::map([(labels::SLOT, slot)])),
            ..LabelSelector::default()
        }),
        ..TopologySpreadConstraint::default()
    };
    let standby = part.feeds.values().any(|feed| feed.standby);
    vec![if standby { fellows } else { all }]
}

/// What the Pod Security Standard `restricted` wants of a pod.
pub(super) fn confined(cluster: &FinalCluster) -> PodSecurityContext {
    let listeners = [cluster.http.as_ref(), cluster.https.as_ref()];
    let low = listeners.into_iter().flatten().any(|it| it.port < 1024);
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(NOBODY),
        run_as_group: Some(NOBODY),
        fs_group: Some(NOBODY),
        // Volumes of many files would take long each time.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        sysctls: low.then(|| {
            vec![Sysctl { name: "net.ipv4.ip_unprivileged_port_start".to_owned(), value: "0".to_owned() }]
        }),
        ..PodSecurityContext::default()
    }
}

/// A node that is gone is given up after five seconds, not after Kubernetes' five minutes; who says otherwise of a
/// taint is heard.
pub(super) fn tolerations(said: &[Toleration]) -> Vec<Toleration> {
    let ours = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map(|taint| Toleration {
        key: Some(taint.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(5),
        ..Toleration::default()
    });
    let unsaid = ours.into_iter().filter(|our| said.iter().all(|it| it.key != our.key));
    said.iter().cloned().chain(unsaid).collect()
}

/// Metadata of a slot's pod.
fn metadata(owner: &Owner, slot: &str, name: &str, template: &Template, feed: Option<&str>) -> ObjectMeta {
    let mut all = labels::with(labels::of_slot(&owner.name, slot), labels::TEMPLATE, &template.hash);
    if let Some(feed) = feed {
        all = labels::with(all, labels::FEED, feed);
    }
    let annotations = labels::map([("cluster-autoscaler.kubernetes.io/safe-to-evict", "true")]);
    owner.metadata(name, all, annotations)
}

/// Builds a pod.
pub fn build(owner: &Owner, slot: &str, name: &str, template: &Template, feed: Option<&str>) -> Pod {
    let pod = Pod {
        metadata: metadata(owner, slot, name, template, feed),
        spec: Some(template.spec.clone()),
        ..Pod::default()
    };
    same::mark(pod, |pod| &mut pod.metadata)
}

/// The part that a pod plays: a label of its own manager, so that it can change without the rest.
pub fn role(owner: &Owner, name: &str) -> Apply {
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(owner.namespace.clone()),
            labels: Some(labels::map([(labels::ROLE, labels::SERVER)])),
            ..ObjectMeta::default()
        },
        ..Pod::default()
    };
    Apply { manager: Manager::Role, object: Object::Pod(Box::new(pod)) }
}

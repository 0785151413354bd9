//! The Deployment of balancers.

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{Container, EnvVar, PodSpec, PodTemplateSpec, Probe, TopologySpreadConstraint},
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};
use millrace_crds::FinalCluster;

use super::LINK;
use crate::{
    build::{
        DRAIN, Owner,
        containers::{self, words},
        pod, same,
        volumes::{self, mount},
    },
    labels, names,
    resolve::INTERNAL,
    scale::Wanted,
    view::Settings,
};

/// What a balancer is to be: its spec, and the hash of that and of whatever else needs another start.
#[derive(Clone, Debug)]
pub struct Template {
    /// The spec.
    pub spec: PodSpec,
    /// The hash: when it changes, balancers are replaced. What else changes in the Cluster they are told.
    pub hash: String,
}

/// The template of balancers.
pub fn template(owner: &Owner, settings: &Settings, cluster: &FinalCluster) -> Template {
    let name = names::balancers(&owner.name);
    let of_it =
        LabelSelector { match_labels: Some(labels::balancers(&owner.name)), ..LabelSelector::default() };
    let spec = PodSpec {
        containers: vec![bus(owner, settings, &name, cluster)],
        volumes: Some(vec![volumes::config(&name), volumes::secret(&name)]),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(DRAIN + 10),
        security_context: Some(pod::confined(cluster)),
        tolerations: Some(pod::tolerations(&cluster.servers.tolerations)),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(of_it),
            ..TopologySpreadConstraint::default()
        }]),
        ..PodSpec::default()
    };
    let listeners = [cluster.http, cluster.https, cluster.rtmp, cluster.rtmps, cluster.rtsp, cluster.srt];
    let started_with = (&spec, listeners, cluster.webrtc, &cluster.limits);
    let hash = names::hash_of(&started_with).chars().take(16).collect();
    Template { spec, hash }
}

fn bus(owner: &Owner, settings: &Settings, slot: &str, cluster: &FinalCluster) -> Container {
    let mut args = words(&[
        "balance",
        "-f",
        "/etc/millrace/config/millrace.yaml",
        "-f",
        "/etc/millrace/secret/secrets.yaml",
        "--internal",
        &format!("0.0.0.0:{INTERNAL}"),
        "--link",
        &format!("0.0.0.0:{LINK}"),
        "--drain",
        &DRAIN.to_string(),
    ]);
    args.extend(containers::membership(settings, slot));
    let mut ports = containers::ports(cluster);
    ports.push(containers::tcp("link", LINK));
    // What other Clusters know this one by, where one pulls from the other.
    let mut env = containers::env();
    env.push(EnvVar { name: "CLUSTER_ID".to_owned(), value: Some(owner.uid.clone()), ..EnvVar::default() });
    let image = cluster.servers.image.as_ref().unwrap_or(&settings.media_pod_image);
    Container {
        name: "bus".to_owned(),
        image: Some(image.clone()),
        image_pull_policy: settings.image_pull_policy.clone(),
        args: Some(args),
        env: Some(env),
        ports: Some(ports),
        resources: Some(containers::modest()),
        volume_mounts: Some(vec![
            mount("config", "/etc/millrace/config", true),
            mount("secret", "/etc/millrace/secret", true),
        ]),
        readiness_probe: Some(containers::probe("/readyz", 1, 3)),
        liveness_probe: Some(Probe {
            initial_delay_seconds: Some(10),
            ..containers::probe("/healthz", 10, 3)
        }),
        security_context: Some(containers::confined()),
        ..Container::default()
    }
}

/// Builds it.
pub fn build(owner: &Owner, template: &Template, wanted: Wanted) -> Deployment {
    let own = labels::balancers(&owner.name);
    let mut all = labels::with(labels::of_balancers(&owner.name), labels::TEMPLATE, &template.hash);
    all.extend(own.clone());
    let pods = ObjectMeta {
        labels: Some(all),
        annotations: Some(labels::map([("cluster-autoscaler.kubernetes.io/safe-to-evict", "true")])),
        ..ObjectMeta::default()
    };
    let count = |number| Some(IntOrString::Int(number));
    let deployment = Deployment {
        metadata: owner.metadata(
            &names::balancers(&owner.name),
            labels::of_balancers(&owner.name),
            wanted.since.map(|since| (labels::FEWER.to_owned(), since.to_string())).into_iter().collect(),
        ),
        spec: Some(DeploymentSpec {
            replicas: Some(i32::try_from(wanted.replicas).unwrap_or(i32::MAX)),
            selector: LabelSelector { match_labels: Some(own), ..LabelSelector::default() },
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: count(1),
                    max_unavailable: count(0),
                }),
            }),
            template: PodTemplateSpec { metadata: Some(pods), spec: Some(template.spec.clone()) },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    same::mark(deployment, |deployment| &mut deployment.metadata)
}

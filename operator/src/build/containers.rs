//! The containers of a media pod.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, ObjectFieldSelector,
        Probe, ResourceRequirements, SecurityContext,
    },
    apimachinery::pkg::{api::resource::Quantity, util::intstr::IntOrString},
};
use millrace_crds::{FinalCluster, FinalSource, Resolved, shared::Resources};

use super::{Owner, balancers::LINK, resources, volumes::mount};
use crate::{labels, names, resolve::INTERNAL, view::Settings};

const AGENT: &str = "/millrace/bin/millrace-exec";

/// A container for one image that commands run in.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcoder {
    /// `transcoder`, `transcoder-2`, …
    pub name: String,
    /// Its image.
    pub image: String,
    /// What it may use.
    pub resources: Option<ResourceRequirements>,
}

impl Transcoder {
    /// The socket that its agent listens on.
    pub fn socket(&self) -> String {
        format!("/millrace/run/{}/exec.sock", self.name)
    }

    /// The volume that the socket is in.
    pub fn run(&self) -> String {
        format!("run-{}", self.name)
    }

    /// The volume of its temporary files.
    pub fn tmp(&self) -> String {
        format!("tmp-{}", self.name)
    }
}

/// One for each image in use; that of the Cluster is first, and always there: pulls and snapshots need it.
pub fn transcoders(part: &Resolved) -> Vec<Transcoder> {
    let default = part.cluster.servers.transcoder_image.clone().unwrap_or_default();
    let mut commands: BTreeMap<&str, Vec<Option<&Resources>>> = BTreeMap::new();
    for feed in part.feeds.values().filter(|feed| matches!(feed.source, FinalSource::Command { .. })) {
        let image = feed.image.as_deref().unwrap_or(&default);
        commands.entry(image).or_default().push(feed.resources.as_ref());
    }
    for stream in part.streams.values().filter(|stream| stream.command.is_some()) {
        let image = stream.image.as_deref().unwrap_or(&default);
        commands.entry(image).or_default().push(stream.resources.as_ref());
    }
    let others = commands.keys().copied().filter(|image| *image != default);
    std::iter::once(default.as_str())
        .chain(others)
        .enumerate()
        .map(|(place, image)| {
            let all = commands.get(image).map_or(&[][..], Vec::as_slice);
            let said: Vec<&Resources> = all.iter().flatten().copied().collect();
            let resources =
                resources::of(&said, said.len() == all.len(), part.cluster.servers.resources.as_ref());
            let name = if place == 0 { "transcoder".to_owned() } else { format!("transcoder-{}", place + 1) };
            Transcoder { name, image: image.to_owned(), resources }
        })
        .collect()
}

/// Puts the agent where the transcoders' containers find it.
pub fn install(settings: &Settings, image: &str) -> Container {
    Container {
        name: "install".to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: settings.image_pull_policy.clone(),
        command: Some(words(&["/usr/local/bin/millrace-exec", "install", AGENT])),
        volume_mounts: Some(vec![mount("bin", "/millrace/bin", false)]),
        security_context: Some(confined()),
        ..Container::default()
    }
}

/// A native sidecar that runs commands.
pub fn transcoder(settings: &Settings, it: &Transcoder) -> Container {
    let socket = it.socket();
    Container {
        name: it.name.clone(),
        image: Some(it.image.clone()),
        image_pull_policy: settings.image_pull_policy.clone(),
        restart_policy: Some("Always".to_owned()),
        command: Some(words(&[AGENT, "serve", "--socket", &socket])),
        resources: it.resources.clone(),
        volume_mounts: Some(vec![
            mount("bin", "/millrace/bin", true),
            mount(&it.run(), &format!("/millrace/run/{}", it.name), false),
            mount(&it.tmp(), "/tmp", false),
        ]),
        security_context: Some(confined()),
        ..Container::default()
    }
}

/// The media pod itself.
pub fn bus(
    owner: &Owner,
    settings: &Settings,
    image: &str,
    slot: &str,
    part: &Resolved,
    transcoders: &[Transcoder],
) -> Container {
    let internal = format!("0.0.0.0:{INTERNAL}");
    let mut args = words(&[
        "run",
        "-f",
        "/etc/millrace/config/millrace.yaml",
        "-f",
        "/etc/millrace/secret/secrets.yaml",
    ]);
    for it in transcoders {
        args.extend(["--runner".to_owned(), format!("{}={}", it.image, it.socket())]);
    }
    let balancers = format!("{}.{}.svc:{LINK}", names::link(&owner.name), owner.namespace);
    args.extend(words(&["--internal", &internal, "--link-to", &balancers]));
    args.extend(membership(settings, slot));
    let mut mounts =
        vec![mount("config", "/etc/millrace/config", true), mount("secret", "/etc/millrace/secret", true)];
    mounts
        .extend(transcoders.iter().map(|it| mount(&it.run(), &format!("/millrace/run/{}", it.name), false)));
    Container {
        name: "bus".to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: settings.image_pull_policy.clone(),
        args: Some(args),
        env: Some(env()),
        ports: Some(ports(&part.cluster)),
        resources: Some(modest()),
        volume_mounts: Some(mounts),
        readiness_probe: Some(probe("/readyz", 1, 3)),
        liveness_probe: Some(Probe { initial_delay_seconds: Some(10), ..probe("/healthz", 10, 3) }),
        security_context: Some(confined()),
        ..Container::default()
    }
}

pub(super) fn ports(cluster: &FinalCluster) -> Vec<ContainerPort> {
    [("http", &cluster.http), ("https", &cluster.https)]
        .into_iter()
        .filter_map(|(name, listener)| Some(tcp(name, listener.as_ref()?.port)))
        .chain([tcp("internal", INTERNAL)])
        .collect()
}

/// A port of TCP.
pub(super) fn tcp(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(number),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

pub(super) fn probe(path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(i32::from(INTERNAL)),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// Enough that the node's pressure takes others first, and little enough that any node has it.
pub(super) fn modest() -> ResourceRequirements {
    ResourceRequirements {
        requests: Some(BTreeMap::from([
            ("cpu".to_owned(), Quantity("10m".to_owned())),
            ("memory".to_owned(), Quantity("32Mi".to_owned())),
        ])),
        ..ResourceRequirements::default()
    }
}

/// What a media pod is told of itself.
pub(super) fn env() -> Vec<EnvVar> {
    vec![
        field("POD_NAMESPACE", "metadata.namespace"),
        field("POD_NAME", "metadata.name"),
        field("POD_UID", "metadata.uid"),
        field("POD_TEMPLATE", &format!("metadata.labels['{}']", labels::TEMPLATE)),
    ]
}

/// How a media pod reaches the operator, as the member of a slot.
pub(super) fn membership(settings: &Settings, slot: &str) -> Vec<String> {
    words(&[
        "--operator",
        &settings.operator_address,
        "--operator-ca",
        "/etc/millrace/secret/operator.crt",
        "--operator-token",
        "/etc/millrace/secret/token",
        "--slot",
        slot,
        "--link-key",
        "/etc/millrace/secret/member.key",
        "--link-trust",
        "/etc/millrace/config/members.json",
    ])
}

fn field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

/// What the Pod Security Standard `restricted` wants of each container.
pub(super) fn confined() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(words(&["ALL"])), add: None }),
        ..SecurityContext::default()
    }
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

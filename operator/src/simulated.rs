//! A little API server with a kubelet and media pods, which carries out decisions until there is nothing to decide.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Pod, PodCondition, Secret, Service},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Resource, ResourceExt};
use millrace_crds::{
    FinalSecret,
    kinds::{Cluster, Feed, Room, Stream},
};
use millrace_report::message::{Doing, State};

use crate::{
    decide::decide,
    decision::{Apply, Decision, Delete, Event, Kind, Object, Status},
    labels,
    view::{Reported, Settings, View},
};

pub struct Simulated {
    pub view: View,
    pub events: Vec<Event>,
    /// What media pods report of Feeds and Streams that are not idle.
    pub doing: BTreeMap<String, Doing>,
    /// Pods that are made while this is false never become Ready.
    pub kubelet: bool,
    /// What balancers report of their sessions, by the pod's name; 0 of those that are not in it.
    pub sessions: BTreeMap<String, u32>,
    next: u64,
}

pub fn settings() -> Settings {
    Settings {
        media_pod_image: "millrace/media-pod:test".into(),
        transcoder_image: "millrace/transcoder:test".into(),
        image_pull_policy: Some("IfNotPresent".into()),
        operator_address: "millrace-operator-link.millrace-system.svc:9443".into(),
        operator_certificate: "-----BEGIN CERTIFICATE-----".into(),
        token_key: b"key".to_vec(),
        key_rotation: crate::keys::PERIOD,
        derived: crate::keys::Derived::default(),
    }
}

impl Simulated {
    /// With the objects of YAML documents.
    pub fn new(yaml: &str) -> Self {
        let view = View {
            namespace: "video".into(),
            name: "default".into(),
            cluster: None,
            feeds: vec![],
            streams: vec![],
            rooms: vec![],
            unreadable: vec![],
            secrets: BTreeMap::new(),
            config_maps: vec![],
            slot_secrets: vec![],
            pods: vec![],
            balancers: vec![],
            balancers_config: None,
            balancers_secret: None,
            deployments: vec![],
            services: vec![],
            budgets: vec![],
            nodes: vec!["10.0.0.2".parse().unwrap(), "10.0.0.1".parse().unwrap()],
            owners: BTreeMap::new(),
            owners_slots: BTreeMap::new(),
            found: crate::failover::carry::Found::default(),
            reports: BTreeMap::new(),
            settings: Arc::new(settings()),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        let mut all = Self {
            view,
            events: vec![],
            doing: BTreeMap::new(),
            kubelet: true,
            sessions: BTreeMap::new(),
            next: 0,
        };
        all.write(yaml);
        all
    }

    fn meta(&mut self, name: &str, old: Option<&ObjectMeta>) -> ObjectMeta {
        self.next += 1;
        let mut meta = old.cloned().unwrap_or_else(|| ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.view.namespace.clone()),
            uid: Some(format!("uid-{}-{name}", self.next)),
            creation_timestamp: Some(Time(self.view.now)),
            ..ObjectMeta::default()
        });
        meta.generation = Some(meta.generation.unwrap_or(0) + 1);
        meta
    }

    /// `kubectl apply`.
    pub fn write(&mut self, yaml: &str) {
        let objects =
            millrace_crds::read("test.yaml", yaml).unwrap_or_else(|wrong| panic!("{wrong:?}")).objects;
        for (name, spec) in objects.clusters {
            let old = self.view.cluster.clone();
            let metadata = self.meta(&name, old.as_ref().map(|it| &it.metadata));
            let status = old.and_then(|it| it.status.clone());
            self.view.cluster = Some(Arc::new(Cluster { metadata, spec, status }));
        }
        for (name, spec) in objects.feeds {
            let old = self.view.feeds.iter().find(|it| it.name_any() == name).cloned();
            let metadata = self.meta(&name, old.as_ref().map(|it| &it.metadata));
            let status = old.and_then(|it| it.status.clone());
            put(&mut self.view.feeds, Feed { metadata, spec, status });
        }
        for (name, spec) in objects.streams {
            let old = self.view.streams.iter().find(|it| it.name_any() == name).cloned();
            let metadata = self.meta(&name, old.as_ref().map(|it| &it.metadata));
            let status = old.and_then(|it| it.status.clone());
            put(&mut self.view.streams, Stream { metadata, spec, status });
        }
        for (name, spec) in objects.rooms {
            let metadata = self.meta(&name, None);
            put(&mut self.view.rooms, Room { metadata, spec, status: None });
        }
        for secret in objects.secrets {
            self.view.secrets.insert(secret.name.clone(), secret);
        }
    }

    /// `kubectl annotate`, of `Feed/door` and the like.
    pub fn annotate(&mut self, of: &str, annotation: &str, text: Option<&str>) {
        fn set(meta: &mut ObjectMeta, annotation: &str, text: Option<&str>) {
            let all = meta.annotations.get_or_insert_default();
            match text {
                Some(text) => all.insert(annotation.to_owned(), text.to_owned()),
                None => all.remove(annotation),
            };
        }
        match of.split_once('/').unwrap() {
            ("Feed", name) => {
                edit(&mut self.view.feeds, name, |it| set(&mut it.metadata, annotation, text));
            }
            (_, name) => edit(&mut self.view.streams, name, |it| set(&mut it.metadata, annotation, text)),
        }
    }

    pub fn delete_feed(&mut self, name: &str) {
        self.view.feeds.retain(|it| it.name_any() != name);
    }

    pub fn delete_stream(&mut self, name: &str) {
        self.view.streams.retain(|it| it.name_any() != name);
    }

    pub fn pass(&mut self, seconds: i64) {
        self.view.now = self.view.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    /// Decides, and carries out what was decided.
    pub fn step(&mut self) -> Decision {
        let decision = decide(&self.view);
        self.carry_out(&decision);
        if self.kubelet {
            self.kubelet();
        }
        self.reports();
        decision
    }

    /// Steps until there is nothing to decide; every decision on the way.
    pub fn settle(&mut self) -> Vec<Decision> {
        let mut all = Vec::new();
        if self.kubelet {
            self.kubelet();
        }
        self.reports();
        for _ in 0..50 {
            self.pass(1);
            let decision = self.step();
            let done = is_empty(&decision);
            all.push(decision);
            if done {
                return all;
            }
        }
        panic!("it never settles: {:#?}", all.last());
    }

    fn carry_out(&mut self, decision: &Decision) {
        for apply in &decision.apply {
            self.apply(apply);
        }
        for delete in &decision.delete {
            self.delete(delete);
        }
        for status in &decision.status {
            match status.clone() {
                Status::Cluster { status, .. } => {
                    let mut it = self.view.cluster.as_deref().cloned().unwrap();
                    it.status = Some(*status);
                    self.view.cluster = Some(Arc::new(it));
                }
                Status::Feed { name, status } => {
                    edit(&mut self.view.feeds, &name, |it| it.status = Some(*status));
                }
                Status::Stream { name, status } => {
                    edit(&mut self.view.streams, &name, |it| it.status = Some(*status));
                }
                Status::Room { name, status } => {
                    edit(&mut self.view.rooms, &name, |it| it.status = Some(*status));
                }
            }
        }
        self.events.extend(decision.events.iter().cloned());
    }

    fn apply(&mut self, apply: &Apply) {
        match apply.object.clone() {
            Object::ConfigMap(it) if it.name_any() == "default-balancers" => {
                let mut there: Vec<_> = self.view.balancers_config.take().into_iter().collect();
                self.merged(*it, &mut there, |old: &mut ConfigMap, new| old.data = new.data);
                self.view.balancers_config = there.pop();
            }
            Object::Secret(it) if it.name_any() == "default-balancers" => {
                let mut there: Vec<_> = self.view.balancers_secret.take().into_iter().collect();
                self.merged(*it, &mut there, |old: &mut Secret, new| old.data = new.data);
                self.view.balancers_secret = there.pop();
            }
            Object::Deployment(it) => self.merge(
                *it,
                |view| &mut view.deployments,
                |old: &mut Deployment, new| {
                    old.spec = new.spec;
                    // What the API server fills in.
                    let spec = old.spec.as_mut().unwrap();
                    spec.revision_history_limit = Some(10);
                    spec.template.spec.as_mut().unwrap().dns_policy = Some("ClusterFirst".into());
                },
            ),
            Object::ConfigMap(it) => {
                self.merge(*it, |view| &mut view.config_maps, |old: &mut ConfigMap, new| old.data = new.data);
            }
            Object::Secret(it) => {
                self.merge(*it, |view| &mut view.slot_secrets, |old: &mut Secret, new| old.data = new.data);
            }
            Object::Pod(it) if it.name_any().starts_with("default-balancers-") => {
                self.merge(*it, |view| &mut view.balancers, |_, _| {});
            }
            Object::Pod(it) => self.merge(
                *it,
                |view| &mut view.pods,
                |old: &mut Pod, new| {
                    if let Some(spec) = new.spec {
                        old.spec = Some(spec);
                    }
                },
            ),
            Object::Service(it) => self.merge(
                *it,
                |view| &mut view.services,
                |old: &mut Service, new| {
                    old.spec = new.spec;
                    for port in old.spec.as_mut().unwrap().ports.iter_mut().flatten() {
                        port.node_port = Some(30000 + port.port % 1000);
                    }
                    old.spec.as_mut().unwrap().cluster_ip.get_or_insert_with(|| "10.96.0.1".into());
                },
            ),
            Object::PodDisruptionBudget(it) => {
                self.merge(
                    *it,
                    |view| &mut view.budgets,
                    |old: &mut k8s_openapi::api::policy::v1::PodDisruptionBudget, new| old.spec = new.spec,
                );
            }
            Object::Feed(it) => {
                self.merge(*it, |view| &mut view.feeds, |old: &mut Feed, new| old.spec = new.spec);
            }
            Object::Stream(it) => {
                self.merge(*it, |view| &mut view.streams, |old: &mut Stream, new| old.spec = new.spec);
            }
        }
    }

    fn merge<K: Resource<DynamicType = ()> + Clone>(
        &mut self,
        new: K,
        list: impl Fn(&mut View) -> &mut Vec<Arc<K>>,
        into: impl Fn(&mut K, K),
    ) {
        let mut all = std::mem::take(list(&mut self.view));
        self.merged(new, &mut all, into);
        *list(&mut self.view) = all;
    }

    fn merged<K: Resource<DynamicType = ()> + Clone>(
        &mut self,
        new: K,
        all: &mut Vec<Arc<K>>,
        into: impl Fn(&mut K, K),
    ) {
        let name = new.name_any();
        let old = all.iter().find(|it| it.name_any() == name).cloned();
        let mut meta = self.meta(&name, old.as_ref().map(|it| it.meta()));
        let wanted = new.meta().clone();
        meta.labels.get_or_insert_default().extend(wanted.labels.unwrap_or_default());
        // What a manager leaves out of what it set before is taken away.
        meta.annotations.get_or_insert_default().remove(labels::FEWER);
        meta.annotations.get_or_insert_default().extend(wanted.annotations.unwrap_or_default());
        if wanted.owner_references.is_some() {
            meta.owner_references = wanted.owner_references;
        }
        let mut merged = old.map_or_else(|| new.clone(), |old| old.as_ref().clone());
        into(&mut merged, new);
        *merged.meta_mut() = meta;
        put(all, merged);
    }

    fn delete(&mut self, delete: &Delete) {
        fn drop_from<K: Resource<DynamicType = ()>>(all: &mut Vec<Arc<K>>, delete: &Delete) {
            let before = all.len();
            all.retain(|it| it.name_any() != delete.name || it.uid().as_deref() != Some(&delete.uid));
            assert_eq!(all.len() + 1, before, "{delete:?} is not there");
        }
        match delete.kind {
            Kind::ConfigMap => drop_from(&mut self.view.config_maps, delete),
            Kind::Secret => drop_from(&mut self.view.slot_secrets, delete),
            Kind::Pod => drop_from(&mut self.view.pods, delete),
            Kind::Service => drop_from(&mut self.view.services, delete),
            Kind::PodDisruptionBudget => drop_from(&mut self.view.budgets, delete),
            Kind::Deployment => drop_from(&mut self.view.deployments, delete),
            Kind::Feed => drop_from(&mut self.view.feeds, delete),
            Kind::Stream => drop_from(&mut self.view.streams, delete),
        }
    }

    /// As many balancers as the Deployment wants, all of its newest template.
    fn deployment_controller(&mut self) {
        let Some(deployment) = self.view.deployments.first().cloned() else { return };
        let spec = deployment.spec.as_ref().unwrap();
        let old = |pod: &Arc<Pod>| pod.metadata.labels != spec.template.metadata.as_ref().unwrap().labels;
        self.view.balancers.retain(|pod| !old(pod));
        while self.view.balancers.len() > spec.replicas.unwrap() as usize {
            let cost = |pod: &Arc<Pod>| {
                pod.annotations().get(labels::COST).map_or(0, |cost| cost.parse::<i32>().unwrap())
            };
            let first = self.view.balancers.iter().map(cost).min();
            let goes = self.view.balancers.iter().position(|pod| Some(cost(pod)) == first);
            self.view.balancers.remove(goes.unwrap());
        }
        while self.view.balancers.len() < spec.replicas.unwrap() as usize {
            let name = format!("default-balancers-{}", self.next);
            let mut metadata = self.meta(&name, None);
            metadata.labels = spec.template.metadata.as_ref().unwrap().labels.clone();
            let pod = Pod { metadata, spec: spec.template.spec.clone(), status: None };
            self.view.balancers.push(Arc::new(pod));
        }
    }

    fn kubelet(&mut self) {
        self.deployment_controller();
        let all = self.view.pods.iter_mut().chain(&mut self.view.balancers);
        for (place, pod) in all.enumerate() {
            let mut new = pod.as_ref().clone();
            let status = new.status.get_or_insert_default();
            if status.phase.is_none() {
                status.phase = Some("Running".into());
                status.pod_ip = Some(format!("10.244.0.{}", place + 1));
                status.conditions = Some(vec![PodCondition {
                    type_: "Ready".into(),
                    status: "True".into(),
                    ..PodCondition::default()
                }]);
                *pod = Arc::new(new);
            }
        }
    }

    fn reports(&mut self) {
        let mut reports = BTreeMap::new();
        let all = self.view.pods.iter().chain(&self.view.balancers);
        for pod in all.filter(|pod| crate::build::rollout::is_ready(pod)) {
            let maps = self.view.config_maps.iter().chain(&self.view.balancers_config);
            let Some(map) =
                maps.into_iter().find(|map| pod.labels().get(labels::SLOT) == Some(&map.name_any()))
            else {
                continue;
            };
            let data = map.data.clone().unwrap();
            let objects = millrace_crds::read("millrace.yaml", &data["millrace.yaml"]).unwrap().objects;
            let doing = |name: &String| (name.clone(), self.doing.get(name).cloned().unwrap_or_default());
            let sessions =
                labels::is_balancer(pod).then(|| self.sessions.get(&pod.name_any()).copied().unwrap_or(0));
            let report = Reported {
                sessions,
                boot: "boot".into(),
                revision: data["revision"].parse().unwrap(),
                refused: None,
                feeds: objects.feeds.iter().map(|(name, _)| doing(name)).collect(),
                streams: objects.streams.iter().map(|(name, _)| doing(name)).collect(),
            };
            reports.insert(pod.uid().unwrap(), report);
        }
        self.view.reports = reports;
    }

    /// Status and reason of the `Ready` condition, of `Feed/door` and the like.
    pub fn ready(&self, of: &str) -> String {
        let (kind, name) = of.split_once('/').unwrap();
        let conditions = match kind {
            "Feed" => self
                .view
                .feeds
                .iter()
                .find(|it| it.name_any() == name)
                .and_then(|it| Some(it.status.clone()?.conditions)),
            "Stream" => self
                .view
                .streams
                .iter()
                .find(|it| it.name_any() == name)
                .and_then(|it| Some(it.status.clone()?.conditions)),
            "Room" => self
                .view
                .rooms
                .iter()
                .find(|it| it.name_any() == name)
                .and_then(|it| Some(it.status.clone()?.conditions)),
            _ => self.view.cluster.as_ref().and_then(|it| Some(it.status.clone()?.conditions)),
        };
        let conditions = conditions.unwrap_or_default();
        conditions
            .first()
            .map_or_else(String::new, |it| format!("{}/{}: {}", it.status, it.reason, it.message))
    }

    /// Each slot's configuration, by the slot's name.
    pub fn yaml(&self) -> BTreeMap<String, String> {
        let data = |map: &Arc<ConfigMap>| map.data.as_ref().unwrap()["millrace.yaml"].clone();
        self.view.config_maps.iter().map(|map| (map.name_any(), data(map))).collect()
    }

    pub fn secret(&mut self, name: &str, key: &str, value: &str) {
        let data = BTreeMap::from([(key.to_owned(), value.as_bytes().to_vec())]);
        self.view.secrets.insert(name.into(), FinalSecret { name: name.into(), kind: "Opaque".into(), data });
    }

    pub fn pods(&self) -> Vec<String> {
        self.view.pods.iter().map(|pod| pod.name_any()).collect()
    }
}

pub fn doing(state: State) -> Doing {
    Doing { state, ..Doing::default() }
}

pub fn is_empty(decision: &Decision) -> bool {
    decision.apply.is_empty()
        && decision.delete.is_empty()
        && decision.status.is_empty()
        && decision.events.is_empty()
        && decision.again.is_none_or(|again| again == crate::balancing::LOOK)
}

fn put<K: Resource<DynamicType = ()>>(all: &mut Vec<Arc<K>>, new: K) {
    all.retain(|it| it.name_any() != new.name_any());
    all.push(Arc::new(new));
}

fn edit<K: Resource<DynamicType = ()> + Clone>(all: &mut [Arc<K>], name: &str, change: impl FnOnce(&mut K)) {
    let it = all.iter_mut().find(|it| it.name_any() == name).unwrap();
    let mut new = it.as_ref().clone();
    change(&mut new);
    *it = Arc::new(new);
}

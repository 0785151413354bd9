//! A little API server with a kubelet and media pods, which carries out decisions until there is nothing to decide.

mod api;
mod kubelet;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::ResourceExt;
use millrace_crds::{
    FinalSecret,
    kinds::{Cluster, Feed, Room, Stream},
};
use millrace_report::{
    message::{Doing, State},
    upstream::UpstreamLink,
};

use self::api::{edit, put};
use crate::{
    decide::decide,
    decision::{Decision, Event},
    view::{Settings, View},
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
    /// What has settled of links to upstreams, by the names of the balancer's pod and of the upstream; nothing where
    /// nothing has yet. They are up where this does not say.
    pub upstreams: BTreeMap<(String, String), Option<UpstreamLink>>,
    /// Balancers, by the pod's name, that are too old to say anything of upstreams.
    pub old: BTreeSet<String>,
    /// Pods, by name, that are not heard.
    pub unheard: BTreeSet<String>,
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
            listens_for: Duration::from_hours(1),
            settings: Arc::new(settings()),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        let mut all = Self {
            view,
            events: vec![],
            doing: BTreeMap::new(),
            kubelet: true,
            sessions: BTreeMap::new(),
            upstreams: BTreeMap::new(),
            old: BTreeSet::new(),
            unheard: BTreeSet::new(),
            next: 0,
        };
        all.write(yaml);
        all
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

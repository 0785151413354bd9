//! What makes balancers of a Deployment and starts pods, and what those say of themselves.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::{Pod, PodCondition};
use kube::ResourceExt;
use millrace_crds::kinds::Upstream;
use millrace_report::upstream::UpstreamLink;

use super::Simulated;
use crate::{labels, view::Reported};

impl Simulated {
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

    pub(super) fn kubelet(&mut self) {
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

    pub(super) fn reports(&mut self) {
        let mut reports = BTreeMap::new();
        let all = self.view.pods.iter().chain(&self.view.balancers);
        let heard = |pod: &&Arc<Pod>| !self.unheard.contains(&pod.name_any());
        for pod in all.filter(|pod| crate::build::rollout::is_ready(pod)).filter(heard) {
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
            let named = objects.clusters.iter().flat_map(|(_, spec)| &spec.upstreams);
            let link = |upstream: &Upstream| {
                let said = self.upstreams.get(&(pod.name_any(), upstream.name.clone())).cloned();
                Some((upstream.name.clone(), said.unwrap_or_else(|| Some(UpstreamLink::up()))?))
            };
            let says = sessions.is_some() && !self.old.contains(&pod.name_any());
            let report = Reported {
                sessions,
                upstreams: says.then(|| Arc::new(named.filter_map(link).collect())),
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
}

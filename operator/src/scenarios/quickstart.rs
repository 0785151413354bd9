//! The quickstart, as people apply it first.

use kube::ResourceExt;

use crate::view::View;
use crate::{
    decision::{Apply, Manager, Object},
    simulated::{Simulated, is_empty},
};

const QUICKSTART: &str = include_str!("../../../examples/quickstart.yaml");

fn shown(apply: &Apply) -> String {
    let (kind, name) = match &apply.object {
        Object::ConfigMap(it) => ("ConfigMap", it.name_any()),
        Object::Secret(it) => ("Secret", it.name_any()),
        Object::Pod(it) if apply.manager == Manager::Role => ("Role of Pod", it.name_any()),
        Object::Pod(it) => ("Pod", it.name_any()),
        Object::Service(it) => ("Service", it.name_any()),
        Object::PodDisruptionBudget(it) => ("PodDisruptionBudget", it.name_any()),
        Object::Deployment(it) => ("Deployment", it.name_any()),
        Object::Feed(it) => ("Feed", it.name_any()),
        Object::Stream(it) => ("Stream", it.name_any()),
    };
    // Without the hash at the end.
    let cut = match kind {
        "Pod" | "Role of Pod" => 12,
        "ConfigMap" | "Secret" if name != "default-balancers" => 6,
        _ => 0,
    };
    format!("{kind} {}", &name[..name.len() - cut])
}

#[test]
fn the_quickstart_becomes_pods_that_are_ready() {
    let mut all = Simulated::new(QUICKSTART);
    let first = all.step();
    let applied: Vec<String> = first.apply.iter().map(shown).collect();
    assert_eq!(
        applied,
        [
            "Secret default-clip",
            "ConfigMap default-clip",
            "Pod default-clip",
            "Role of Pod default-clip",
            "Secret default-test",
            "ConfigMap default-test",
            "Pod default-test",
            "Role of Pod default-test",
            "Service default-balancers",
            "Service default-link",
            "Secret default-balancers",
            "ConfigMap default-balancers",
            "Deployment default-balancers",
            "PodDisruptionBudget default-balancers",
            "PodDisruptionBudget default-servers",
        ]
    );
    assert!(first.delete.is_empty());
    let decisions = all.settle();
    assert!(decisions.len() <= 4, "{}", decisions.len());
    for feed in ["test", "clip"] {
        assert!(all.ready(&format!("Feed/{feed}")).starts_with("True/Idle"), "{}", all.ready("Feed/test"));
    }
    for stream in ["test-ts", "test-mp4", "test-mkv", "test-flv", "test-mjpeg", "radio", "file"] {
        assert!(all.ready(&format!("Stream/{stream}")).starts_with("True/Idle"));
    }
    assert!(all.ready("Cluster/default").starts_with("True/ServersReady"));
    assert_eq!(all.view.balancers.len(), 2);
    let directories = &decisions.last().unwrap().directories;
    assert_eq!(directories.len(), 3, "two slots and the balancers");
    assert!(
        directories.values().all(|it| it.streams.is_empty() && it.feeds.is_empty() && !it.token.is_empty())
    );
    assert!(all.events.is_empty(), "{:?}", all.events);
}

#[test]
fn what_a_decision_led_to_needs_no_other() {
    let mut all = Simulated::new(QUICKSTART);
    all.settle();
    let before = all.view.clone();
    for _ in 0..3 {
        all.pass(60);
        let decision = all.step();
        assert!(is_empty(&decision), "{decision:#?}");
    }
    let names = |view: &View| view.pods.iter().map(|pod| pod.name_any()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&all.view));
}

//! Secrets that are missing, appear, change and go; and that are seen nowhere else.

use super::faulty::{feed, stream};
use crate::{decision::Object, simulated::Simulated};

const CLUSTER: &str =
    "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec: {}\n";

fn camera() -> Simulated {
    let yaml = CLUSTER.to_owned()
        + &feed("cam", "source: {pull: {urlFrom: {secretKeyRef: {name: cam, key: url}}}}")
        + &feed("other", "source: {command: [ffmpeg, \"-\"]}")
        + &stream("cam", "path: /cam.ts, feeds: [cam]");
    Simulated::new(&yaml)
}

#[test]
fn a_missing_secret_stops_who_names_it_until_it_appears() {
    let mut all = camera();
    all.settle();
    let said = all.ready("Feed/cam");
    assert!(said.starts_with("False/SecretNotFound: ") && said.contains("there is no Secret cam"), "{said}");
    assert!(all.ready("Stream/cam").starts_with("False/FeedInvalid"), "{}", all.ready("Stream/cam"));
    assert!(all.ready("Feed/other").starts_with("True"));
    all.secret("cam", "url", "rtsp://u:hunter2@cam.lan/1");
    all.settle();
    assert!(all.ready("Feed/cam").starts_with("True/Idle"), "{}", all.ready("Feed/cam"));
    // It goes again: what runs runs on, and says so.
    let before = all.yaml();
    all.view.secrets.clear();
    all.settle();
    assert!(all.ready("Feed/cam").starts_with("False/SecretNotFound"), "{}", all.ready("Feed/cam"));
    assert_eq!(all.yaml(), before);
    assert_eq!(all.pods().len(), 2);
}

#[test]
fn a_secret_is_in_its_slots_secret_and_nowhere_else() {
    let mut all = camera();
    all.secret("cam", "url", "rtsp://u:hunter2@cam.lan/1");
    let mut decisions = all.settle();
    all.secret("cam", "url", "rtsp://u:hunter2@cam.lan/2");
    decisions.extend(all.settle());
    let mut holders = 0;
    for decision in &decisions {
        for apply in &decision.apply {
            let text = match &apply.object {
                Object::Secret(secret) => {
                    let data = &secret.data.as_ref().unwrap()["secrets.yaml"];
                    let text = String::from_utf8(data.0.clone()).unwrap();
                    let holds = text.contains("hunter2");
                    assert_eq!(holds, secret.metadata.name.as_ref().unwrap().starts_with("default-cam-"));
                    holders += usize::from(holds);
                    continue;
                }
                Object::ConfigMap(it) => serde_json::to_string(it).unwrap(),
                Object::Pod(it) => serde_json::to_string(it).unwrap(),
                Object::Service(it) => serde_json::to_string(it).unwrap(),
                Object::PodDisruptionBudget(it) => serde_json::to_string(it).unwrap(),
                Object::Deployment(it) => serde_json::to_string(it).unwrap(),
                Object::Feed(it) => serde_json::to_string(it).unwrap(),
                Object::Stream(it) => serde_json::to_string(it).unwrap(),
            };
            assert!(!text.contains("hunter2"));
        }
        assert!(
            !format!("{:?}{:?}{:?}", decision.status, decision.events, decision.configurations)
                .contains("hunter2")
        );
    }
    assert_eq!(holders, 2);
    let revision = |all: &Simulated| {
        let map = all
            .view
            .config_maps
            .iter()
            .find(|it| it.metadata.name.as_ref().unwrap().contains("cam"))
            .unwrap();
        map.data.as_ref().unwrap()["revision"].clone()
    };
    assert_eq!(revision(&all), "2");
}

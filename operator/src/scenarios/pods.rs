//! Pods that die, change and are replaced.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use millrace_report::message::{Exit, State};

use super::faulty::{feed, stream};
use crate::{
    decision::{Kind, Status},
    simulated::{Simulated, doing},
};

const CLUSTER: &str = "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec: {";

fn door() -> Simulated {
    let yaml = format!("{CLUSTER}}}\n")
        + &feed("door", "source: {command: [ffmpeg, \"-\"]}")
        + &stream("door", "path: /door.ts, feeds: [door]");
    let mut all = Simulated::new(&yaml);
    all.settle();
    all
}

#[test]
fn a_pod_that_ended_is_replaced_at_once_and_its_slot_stays() {
    let mut all = door();
    let (before, slots) = (all.pods(), all.yaml());
    all.pass(60);
    let mut dead = all.view.pods[0].as_ref().clone();
    dead.status.as_mut().unwrap().phase = Some("Failed".into());
    dead.status.as_mut().unwrap().conditions = None;
    all.view.pods[0] = Arc::new(dead);
    let decision = all.step();
    assert_eq!(
        decision.delete.iter().map(|it| (it.kind, it.name.as_str())).collect::<Vec<_>>(),
        [(Kind::Pod, before[0].as_str())]
    );
    all.settle();
    assert_eq!(all.pods().len(), 1);
    assert_ne!(all.pods(), before);
    assert_eq!(all.yaml(), slots);
}

#[test]
fn a_pod_that_is_being_deleted_is_replaced_at_once() {
    let mut all = door();
    let mut dying = all.view.pods[0].as_ref().clone();
    dying.metadata.deletion_timestamp = Some(Time(all.view.now));
    all.view.pods[0] = Arc::new(dying);
    let decision = all.step();
    assert!(decision.delete.is_empty());
    assert_eq!(all.pods().len(), 2);
    assert!(all.settle().iter().all(|decision| decision.delete.is_empty()));
}

#[test]
fn a_pod_that_a_node_refuses_is_not_made_again_in_haste() {
    let mut all = door();
    all.pass(60);
    let mut dead = all.view.pods[0].as_ref().clone();
    dead.metadata.creation_timestamp = Some(Time(all.view.now));
    dead.status.as_mut().unwrap().phase = Some("Failed".into());
    all.view.pods[0] = Arc::new(dead);
    let decision = all.step();
    assert!(decision.again.is_some() && decision.delete.is_empty());
    assert_eq!(all.pods().len(), 1);
    all.pass(11);
    all.settle();
    assert_eq!(all.pods().len(), 1);
}

#[test]
fn another_image_makes_a_new_pod_before_it_breaks_the_old_one() {
    let mut all = door();
    let old = all.pods();
    all.kubelet = false;
    all.write(&format!("{CLUSTER}servers: {{image: other/media-pod:2}}}}\n"));
    for _ in 0..3 {
        assert!(all.step().delete.is_empty());
    }
    assert_eq!(all.pods().len(), 2);
    assert!(all.ready("Feed/door").starts_with("True"), "the old one serves");
    all.kubelet = true;
    all.settle();
    assert_eq!(all.pods().len(), 1);
    assert_ne!(all.pods(), old);
}

#[test]
fn a_config_map_that_somebody_deletes_comes_back_and_nothing_moves() {
    let mut all = door();
    all.write(&feed("door", "source: {command: [ffmpeg, again]}"));
    all.settle();
    let (pods, slots) = (all.pods(), all.yaml());
    all.view.config_maps.clear();
    all.settle();
    assert_eq!((all.pods(), all.yaml()), (pods, slots));
    assert_eq!(all.view.config_maps[0].data.as_ref().unwrap()["revision"], "3");
}

#[test]
fn what_somebody_edits_by_hand_is_put_right() {
    let mut all = door();
    let pods = all.pods();
    let mut map = all.view.config_maps[0].as_ref().clone();
    map.data.as_mut().unwrap().insert("millrace.yaml".into(), "kind: Nothing".into());
    map.metadata.labels.as_mut().unwrap().clear();
    all.view.config_maps[0] = Arc::new(map);
    let mut service = all.view.services[0].as_ref().clone();
    service.spec.as_mut().unwrap().selector = None;
    all.view.services[0] = Arc::new(service);
    let decision = crate::decide::decide(&all.view);
    assert_eq!(decision.apply.len(), 3, "the Secret has the revision, too: {:?}", decision.apply);
    assert!(decision.delete.is_empty());
    assert_eq!(all.pods(), pods);
}

#[test]
fn a_feed_that_is_deleted_leaves_nothing_behind() {
    let mut all = door();
    all.delete_feed("door");
    all.delete_stream("door");
    all.settle();
    assert!(all.view.pods.is_empty() && all.view.config_maps.is_empty() && all.view.slot_secrets.is_empty());
}

#[test]
fn a_cluster_that_is_gone_is_said_and_nothing_is_made() {
    let mut all = door();
    all.view.cluster = None;
    let decision = all.step();
    assert!(decision.apply.is_empty() && decision.delete.is_empty());
    assert!(all.ready("Feed/door").starts_with("False/ClusterNotFound"));
}

#[test]
fn a_command_that_fails_again_and_again_is_told_of_once() {
    let mut all = door();
    let exit = |at: i64| Exit {
        code: Some(1),
        at,
        reason: "it exited with 1".into(),
        stderr: format!("at {at}"),
        ..Exit::default()
    };
    let start = all.view.now.as_millisecond();
    for round in 0..20 {
        let state = if round % 2 == 0 { State::Backoff } else { State::Starting };
        let mut it = doing(state);
        it.last_exit = Some(exit(start + round * 1000));
        it.restarts = round as u64;
        all.doing.insert("door".into(), it);
        all.step();
        let decision = all.step();
        let feeds = decision.status.iter().filter(|it| matches!(it, Status::Feed { .. })).count();
        assert_eq!(feeds, usize::from(round == 0), "round {round}: {:?}", decision.status);
    }
    assert_eq!(all.ready("Feed/door"), "False/Backoff: it ended and is started again: it exited with 1");
    assert_eq!(all.events.iter().filter(|it| it.kind == "Feed").count(), 1);
    all.doing.insert("door".into(), doing(State::Running));
    all.settle();
    assert!(all.ready("Feed/door").starts_with("True/Running"));
    assert_eq!(all.events.iter().filter(|it| it.kind == "Feed").count(), 2);
}

#[test]
fn pods_pass_the_restricted_standard() {
    let all = door();
    let spec = all.view.pods[0].spec.clone().unwrap();
    let pod = spec.security_context.unwrap();
    assert_eq!(pod.run_as_non_root, Some(true));
    assert_eq!(pod.seccomp_profile.unwrap().type_, "RuntimeDefault");
    assert_eq!(spec.automount_service_account_token, Some(false));
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        let it = container.security_context.as_ref().unwrap();
        assert_eq!(it.allow_privilege_escalation, Some(false));
        assert_eq!(it.read_only_root_filesystem, Some(true));
        assert_eq!(it.capabilities.as_ref().unwrap().drop.as_deref(), Some(&["ALL".to_owned()][..]));
    }
    assert!(all.view.pods[0].labels()["millrace.dev/role"] == "server");
    assert!(all.view.pods[0].labels()["millrace.dev/feed"] == "door");
}

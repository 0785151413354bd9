//! Balancers: what they are started with, what they are told, and what they know.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use millrace_report::link::Members;

use super::faulty::{feed, stream};
use crate::{
    decide::decide,
    decision::{Object, Status},
    keys,
    simulated::{Simulated, is_empty},
};

const CLUSTER: &str = "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec: {";

fn cluster(spec: &str) -> String {
    format!("{CLUSTER}{spec}}}\n")
}

fn with(spec: &str) -> Simulated {
    let yaml = cluster(spec)
        + &feed("door", "source: {command: [ffmpeg, \"-\"]}")
        + &stream("door", "path: /door.ts, feeds: [door]");
    let mut all = Simulated::new(&yaml);
    all.settle();
    all
}

fn deployment(all: &Simulated) -> Arc<Deployment> {
    all.view.deployments[0].clone()
}

fn replicas(all: &Simulated) -> i32 {
    deployment(all).spec.as_ref().unwrap().replicas.unwrap()
}

/// Whether balancers were started anew by what was written.
fn rolls(all: &mut Simulated, yaml: &str) -> bool {
    let pods = |all: &Simulated| all.view.balancers.iter().map(|pod| pod.name_any()).collect::<BTreeSet<_>>();
    let before = pods(all);
    all.write(yaml);
    all.settle();
    before != pods(all)
}

fn revision(all: &Simulated) -> u64 {
    let map = all.view.balancers_config.as_ref().unwrap();
    map.data.as_ref().unwrap()["revision"].parse().unwrap()
}

fn members(map: &k8s_openapi::api::core::v1::ConfigMap) -> Members {
    serde_json::from_str(&map.data.as_ref().unwrap()["members.json"]).unwrap()
}

#[test]
fn balancers_are_there_before_any_feed_and_know_nothing_of_feeds() {
    let mut all = Simulated::new(&cluster(""));
    all.settle();
    assert_eq!(all.view.balancers.len(), 2);
    assert!(all.ready("Cluster/default").starts_with("True/ServersReady"));
    let before = all.view.balancers_config.clone();
    all.write(
        &(feed("door", "source: {command: [ffmpeg, \"-\"]}")
            + &stream("door", "path: /door.ts, feeds: [door]")),
    );
    all.settle();
    let (before, now) = (before.unwrap(), all.view.balancers_config.clone().unwrap());
    let yaml =
        |map: &k8s_openapi::api::core::v1::ConfigMap| map.data.as_ref().unwrap()["millrace.yaml"].clone();
    assert_eq!(yaml(&before), yaml(&now));
    assert!(yaml(&now).contains("kind: Cluster") && !yaml(&now).contains("door"));
    assert_eq!(all.view.balancers.len(), 2);
}

#[test]
fn only_what_needs_another_start_starts_balancers_anew() {
    let mut all = with("");
    let first = revision(&all);
    assert!(!rolls(&mut all, &feed("yard", "source: {command: [ffmpeg, \"-\"]}")));
    assert_eq!(revision(&all), first, "feeds are none of theirs");
    assert!(!rolls(&mut all, &cluster("statusPage: {path: /how}")));
    assert_eq!(revision(&all), first + 1, "told, and taken while they run");
    assert!(rolls(&mut all, &cluster("listeners: {http: {port: 8081}}")));
    assert!(rolls(&mut all, &cluster("listeners: {http: {port: 8081}}, limits: {connections: 5}")));
    assert!(rolls(&mut all, &cluster("servers: {image: other/media-pod:2}")));
    assert!(!rolls(
        &mut all,
        &cluster("servers: {image: other/media-pod:2}, balancers: {replicas: 2, mode: Redirect}")
    ));
}

#[test]
fn there_are_as_many_as_the_cluster_says() {
    let mut all = with("balancers: {replicas: 3}");
    assert_eq!((replicas(&all), all.view.balancers.len()), (3, 3));
    all.write(&cluster("balancers: {replicas: 0}"));
    all.settle();
    assert_eq!((replicas(&all), all.view.balancers.len()), (0, 0));
    assert!(all.ready("Cluster/default").starts_with("True"), "nobody wanted any");
    all.write(&cluster("balancers: {replicas: 4, autoscale: {min: 2, max: 8, hpa: true}}"));
    all.settle();
    assert_eq!(replicas(&all), 4, "what an autoscaler wrote into the Cluster");
}

#[test]
fn more_viewers_bring_balancers_at_once_and_fewer_take_the_emptiest_one_by_one() {
    let mut all = with("balancers: {autoscale: {min: 2, max: 8, sessions: 100}}");
    assert_eq!(replicas(&all), 2);
    let names = |all: &Simulated| all.view.balancers.iter().map(|pod| pod.name_any()).collect::<Vec<_>>();
    all.sessions.insert(names(&all)[0].clone(), 300);
    all.settle();
    assert_eq!(replicas(&all), 4);
    let busy = names(&all)[0].clone();
    for (place, name) in names(&all).into_iter().enumerate() {
        all.sessions.insert(name, [50, 20, 5, 30][place]);
    }
    let emptiest = names(&all)[2].clone();
    let mut seen = vec![names(&all)];
    for _ in 0..60 {
        all.pass(14);
        all.settle();
        if seen.last() != Some(&names(&all)) {
            seen.push(names(&all));
        }
    }
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [4, 3, 2], "{seen:?}");
    assert!(!seen[1].contains(&emptiest));
    assert!(seen[2].contains(&busy));
    assert_eq!(deployment(&all).metadata.annotations.as_ref().unwrap().get("millrace.dev/fewer-since"), None);
}

#[test]
fn where_an_autoscaler_wants_several_fewer_the_emptiest_go_one_by_one() {
    let mut all = with("balancers: {replicas: 5, autoscale: {min: 2, max: 8, hpa: true}}");
    let names = |all: &Simulated| {
        let mut names: Vec<_> = all.view.balancers.iter().map(|pod| pod.name_any()).collect();
        names.sort();
        names
    };
    let before = names(&all);
    for (place, name) in before.iter().enumerate() {
        all.sessions.insert(name.clone(), [5, 300, 0, 400, 20][place]);
    }
    all.write(&cluster("balancers: {replicas: 2, autoscale: {min: 2, max: 8, hpa: true}}"));
    let mut seen = vec![before.clone()];
    for _ in 0..20 {
        all.step();
        if seen.last() != Some(&names(&all)) {
            seen.push(names(&all));
        }
    }
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [5, 4, 3, 2], "{seen:?}");
    assert_eq!(seen[3], [before[1].clone(), before[3].clone()], "those with viewers stay");
}

#[test]
fn what_somebody_changed_by_hand_is_put_right() {
    let mut all = with("");
    let mut deployment = deployment(&all).as_ref().clone();
    let spec = deployment.spec.as_mut().unwrap();
    spec.replicas = Some(7);
    spec.template.spec.as_mut().unwrap().containers[0].args = Some(vec!["--help".into()]);
    all.view.deployments = vec![Arc::new(deployment)];
    all.view.balancers_config = None;
    let decision = decide(&all.view);
    let kinds: Vec<_> = decision.apply.iter().map(|it| &it.object).collect();
    // The Secret has the revision, too.
    assert!(
        matches!(kinds[..], [Object::Secret(_), Object::ConfigMap(_), Object::Deployment(_)]),
        "{kinds:?}"
    );
    all.settle();
    assert_eq!(replicas(&all), 2);
}

#[test]
fn balancers_pass_the_restricted_standard_and_have_time_to_drain() {
    let all = with("listeners: {http: {port: 80}}");
    let deployment = deployment(&all);
    let spec = deployment.spec.as_ref().unwrap();
    let pod = spec.template.spec.as_ref().unwrap();
    let security = pod.security_context.as_ref().unwrap();
    assert_eq!((security.run_as_non_root, security.sysctls.as_ref().map(Vec::len)), (Some(true), Some(1)));
    assert_eq!(security.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
    assert_eq!(pod.automount_service_account_token, Some(false));
    let container = pod.containers[0].security_context.as_ref().unwrap();
    assert_eq!(container.allow_privilege_escalation, Some(false));
    assert_eq!(container.read_only_root_filesystem, Some(true));
    assert_eq!(container.capabilities.as_ref().unwrap().drop.as_deref(), Some(&["ALL".to_owned()][..]));
    let args = pod.containers[0].args.as_ref().unwrap().join(" ");
    assert!(args.starts_with("balance -f ") && args.contains(" --slot default-balancers "), "{args}");
    assert!(args.contains(" --drain 30 ") && pod.termination_grace_period_seconds == Some(40));
    let rolling = spec.strategy.as_ref().unwrap().rolling_update.clone().unwrap();
    assert_eq!(format!("{:?}", (rolling.max_surge, rolling.max_unavailable)), "(Some(Int(1)), Some(Int(0)))");
    let labels = all.view.balancers[0].labels();
    assert_eq!(labels["millrace.dev/role"], "balancer");
    for (name, value) in spec.selector.match_labels.as_ref().unwrap() {
        assert_eq!(&labels[name], value);
    }
}

#[test]
fn services_lead_to_balancers_and_server_pods_dial_them() {
    let all = with("");
    let of = |name: &str| {
        let service = all.view.services.iter().find(|it| it.name_any() == name).unwrap();
        service.spec.clone().unwrap()
    };
    let (front, link) = (of("default-balancers"), of("default-link"));
    assert_eq!(front.selector.as_ref().unwrap()["millrace.dev/role"], "balancer");
    assert_eq!(link.selector, front.selector);
    assert_eq!((link.cluster_ip.as_deref(), link.publish_not_ready_addresses), (Some("None"), Some(true)));
    assert_eq!(link.ports.unwrap()[0].port, 9100);
    let server = all.view.pods[0].spec.as_ref().unwrap();
    let args = server.containers[0].args.as_ref().unwrap().join(" ");
    assert!(args.contains(" --link-to default-link.video.svc:9100 "), "{args}");
    // Of two budgets at one pod Kubernetes evicts neither.
    let budgets: Vec<_> = all.view.budgets.iter().map(|it| it.spec.clone().unwrap().selector).collect();
    assert!(budgets.len() == 2 && budgets[0] != budgets[1]);
}

#[test]
fn each_side_has_a_key_that_the_other_believes_and_keys_change_without_another_start() {
    let mut all = with("");
    let pods = (all.pods(), all.view.balancers.iter().map(|pod| pod.name_any()).collect::<Vec<_>>());
    let believed = |all: &Simulated| {
        let key = |secret: &k8s_openapi::api::core::v1::Secret| {
            String::from_utf8(secret.data.as_ref().unwrap()["member.key"].0.clone()).unwrap()
        };
        let (server, balancer) = (&all.view.slot_secrets[0], all.view.balancers_secret.as_ref().unwrap());
        let slot = server.name_any();
        let by_servers = members(&all.view.config_maps[0]);
        let by_balancers = members(all.view.balancers_config.as_ref().unwrap());
        assert_eq!(by_servers.members.keys().collect::<Vec<_>>(), ["default-balancers"]);
        assert_eq!(by_balancers.members.keys().collect::<Vec<_>>(), [&slot]);
        let generation = keys::generation(all.view.now, keys::PERIOD);
        let pair = |slot: &str| {
            let pem = keys::member_pem(b"key", "video", slot, generation);
            (pem, keys::member_public(b"key", "video", slot, generation).unwrap())
        };
        let (pem, public) = pair(&slot);
        assert_eq!(key(server), pem);
        assert!(by_balancers.members[&slot].iter().any(|it| it.key == public && it.role == 256));
        let (pem, public) = pair("default-balancers");
        assert_eq!(key(balancer), pem);
        assert!(by_servers.members["default-balancers"].iter().any(|it| it.key == public && it.role == 512));
        pem
    };
    let before = believed(&all);
    for _ in 0..31 {
        all.pass(24 * 3600);
        all.settle();
    }
    assert_ne!(before, believed(&all));
    assert!(is_empty(&all.step()));
    assert_eq!(pods, (all.pods(), all.view.balancers.iter().map(|pod| pod.name_any()).collect::<Vec<_>>()));
}

#[test]
fn a_change_of_keys_is_not_slept_through() {
    let mut all = with("");
    let rest = keys::stays(all.view.now, keys::PERIOD).as_secs();
    all.pass(i64::try_from(rest).unwrap() - 60);
    assert_eq!(all.step().again.map(|again| again.as_secs()), Some(60));
}

#[test]
fn a_server_pod_is_told_where_the_feeds_are_that_it_gets_from_others_and_nothing_else() {
    let mut all = with("");
    all.write(
        &(feed("slate", "source: {command: [ffmpeg, slate]}")
            + &feed("yard", "source: {command: [ffmpeg, \"-\"]}, fallback: [slate]")
            + &stream("yard", "path: /yard.ts, feeds: [yard]")
            + &stream("own", "path: /own.ts, feeds: [door], pod: Own")),
    );
    let last = all.settle().pop().unwrap();
    let feeds = |founder: &str| {
        let slot = last.directories.iter().find(|(slot, _)| slot.starts_with(&format!("default-{founder}-")));
        let feeds: Vec<_> = slot.unwrap().1.feeds.iter().collect();
        feeds
            .into_iter()
            .map(|(name, address)| {
                assert!(address.starts_with("10.244.0.") && address.ends_with(":9000"));
                name.clone()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(feeds("own"), ["door"]);
    assert_eq!(feeds("door"), Vec::<String>::new());
    assert!(feeds("yard").is_empty() || feeds("yard") == ["slate"]);
    assert!(
        last.directories
            .values()
            .all(|it| it.streams.is_empty() && it.token == last.directories["default-balancers"].token)
    );
}

#[test]
fn a_cluster_says_how_many_balancers_there_are_and_how_they_are_found() {
    let mut all = Simulated::new(&cluster(""));
    all.kubelet = false;
    for _ in 0..3 {
        all.step();
    }
    assert_eq!(all.ready("Cluster/default"), "False/BalancersNotReady: 0 of 2 balancers are Ready");
    all.kubelet = true;
    all.settle();
    let status = all.view.cluster.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(status.balancers, Some(2));
    assert_eq!(status.selector.as_deref(), Some("millrace.dev/cluster=default,millrace.dev/role=balancer"));
    let condition = status.conditions.iter().find(|it| it.type_ == "BalancersReady").unwrap();
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("True", "BalancersReady"));
}

/// As its kubelet says it of the balancer in this place.
fn says(all: &mut Simulated, place: usize, ready: bool) {
    let mut pod = all.view.balancers[place].as_ref().clone();
    let condition = &mut pod.status.as_mut().unwrap().conditions.as_mut().unwrap()[0];
    condition.status = if ready { "True" } else { "False" }.into();
    all.view.balancers[place] = Arc::new(pod);
}

#[test]
fn a_stream_is_ready_when_a_balancer_is_and_as_long_as_one_is() {
    let mut all = with("");
    assert!(all.ready("Stream/door").starts_with("True/Idle"));
    let events = all.events.len();
    // As in a rolling update: the second is not Ready, then the first.
    for place in [1, 0] {
        says(&mut all, place, false);
        let decision = all.step();
        let streams = decision.status.iter().filter(|it| matches!(it, Status::Stream { .. })).count();
        assert_eq!(streams, 0, "{:?}", decision.status);
        says(&mut all, place, true);
        all.step();
    }
    says(&mut all, 0, false);
    says(&mut all, 1, false);
    all.settle();
    assert!(all.ready("Stream/door").starts_with("False/NoBalancer: "), "{}", all.ready("Stream/door"));
    assert!(all.ready("Feed/door").starts_with("True/Idle"), "it gives media to whoever is there");
    says(&mut all, 1, true);
    all.settle();
    assert!(all.ready("Stream/door").starts_with("True/Idle"));
    let of_stream = all.events[events..].iter().filter(|it| it.kind == "Stream").count();
    assert_eq!(of_stream, 0, "the Cluster says it");
}

#[test]
fn streams_of_a_new_cluster_wait_for_its_first_balancer() {
    let mut all = with("");
    all.view.balancers.clear();
    all.kubelet = false;
    all.step();
    assert!(all.ready("Stream/door").starts_with("False/NoBalancer: "), "{}", all.ready("Stream/door"));
    all.kubelet = true;
    all.settle();
    assert!(all.ready("Stream/door").starts_with("True/Idle"));
}

#[test]
fn where_no_balancer_is_wanted_no_stream_waits_for_one() {
    let mut all = with("balancers: {replicas: 0}");
    assert!(all.view.balancers.is_empty());
    assert!(all.ready("Stream/door").starts_with("True/Idle"), "{}", all.ready("Stream/door"));
    all.write(&cluster("balancers: {replicas: 0, autoscale: {min: 2, max: 8, hpa: true}}"));
    all.kubelet = false;
    all.step();
    assert!(all.ready("Stream/door").starts_with("False/NoBalancer: "), "an autoscaler has its minimum");
}

#[test]
fn a_cluster_that_goes_takes_its_balancers_with_it_by_their_owner() {
    let mut all = with("");
    let uid = all.view.cluster.as_ref().unwrap().uid();
    let owned = |owners: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference]| {
        owners.iter().any(|it| Some(&it.uid) == uid.as_ref() && it.controller == Some(true))
    };
    assert!(owned(deployment(&all).owner_references()));
    assert!(owned(all.view.balancers_config.as_ref().unwrap().owner_references()));
    assert!(owned(all.view.balancers_secret.as_ref().unwrap().owner_references()));
    assert!(all.view.services.iter().all(|it| owned(it.owner_references())));
    all.view.cluster = None;
    let decision = all.step();
    assert!(decision.apply.is_empty() && decision.delete.is_empty());
}

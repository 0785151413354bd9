//! A balancer that is a member of a cluster.

use millrace_e2e::{Pod, Watcher, resource};
use millrace_report::message::{Configuration, LinkState, Role};
use serde_json::json;

use crate::{
    fleet::{Fleet, camera, known, link_of},
    operator::Files,
};

#[test]
fn a_balancer_says_what_it_is_and_takes_no_feeds_and_streams() {
    let fleet = Fleet::new();
    let cluster = resource("Cluster", "default", &json!({"heartbeat": {"interval": "300ms"}}));
    let files = Files::new(&fleet.operator.shown, "cams-door").with(1, &cluster, "");
    let links = fleet.link_files("edge", "members.json");
    let mut arguments: Vec<&str> = vec!["--link", "127.0.0.1:0"];
    arguments.extend(links.iter().map(String::as_str));
    let arguments = files.arguments(&[fleet.operator.address], "edge-1", &arguments);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let edge =
        Pod::balance_on(&files.path("config/millrace.yaml"), &arguments).unwrap_or_else(|e| panic!("{e:#}"));
    let hello = fleet.operator.hears_of("edge-1", "it is there", |known| {
        (known.here && known.beats > 0).then(|| known.hello.clone())
    });
    assert_eq!(hello.role, Role::Balancer);
    let server = fleet.server("one", &camera("a", "OnDemand"), &link_of(&edge), &[]);
    fleet.give(&server, "a", 3);
    fleet.operator.hears_of("edge-1", "it has a link", |known| {
        let links = &known.beat.balancer.as_ref()?.links;
        matches!(links.get("one"), Some(LinkState::Up { .. })).then_some(())
    });
    known(&edge, "/a.ts");
    let viewer = Watcher::new(edge.viewer("/a.ts"));
    viewer.flows(10_000);
    fleet.operator.hears_of("edge-1", "somebody watches", |known| {
        (known.beat.balancer.as_ref()?.sessions == 1).then_some(())
    });

    let push = |revision, yaml: String| {
        let new = Configuration { revision, yaml, secrets: String::new(), template: String::new() };
        fleet.operator.push_to("edge-1", new);
    };
    push(2, cluster.clone() + &camera("b", "OnDemand"));
    let refused = fleet.operator.hears_of("edge-1", "that is refused", |known| known.beat.refused.clone());
    assert!(refused.revision == 2 && refused.reason.contains("a balancer runs no Feeds"), "{refused:?}");
    assert_eq!(fleet.operator.known("edge-1").beat.revision, 1);
    push(3, cluster);
    fleet.operator.hears_of("edge-1", "the next is taken", |known| (known.beat.revision == 3).then_some(()));
    viewer.flows(10_000);
}

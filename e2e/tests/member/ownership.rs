//! The operator says who owns a feed, whom to believe, and where balancers are.

use std::time::{Duration, Instant};

use millrace_e2e::{Watcher, eventually};
use millrace_report::message::{Ownership, Vouched};

use crate::{
    fleet::{Fleet, camera, edges, known, link_of, links, slow_beats},
    operator::free_address,
};

#[test]
fn a_stream_is_announced_once_its_feed_was_granted_and_in_the_epoch_of_the_grant() {
    let fleet = Fleet::new();
    let edge = fleet.balancer("edge");
    let yaml = slow_beats() + &camera("a", "OnDemand") + &camera("b", "OnDemand");
    let server = fleet.server("one", &yaml, &link_of(&edge), &[]);
    links(&edge, 1);
    assert_eq!(edge.metric("millrace_edge_paths"), 0);
    // Of another start of the pod, and of another pod.
    let others = vec![fleet.grant("a", "one_boot-0", 3), fleet.grant("b", "two_boot-of-two", 3)];
    fleet.own("one", others, Vec::new());
    let began = Instant::now();
    let others = [fleet.grant("a", "one_boot-0", 4), fleet.grant("b", "two_boot-of-two", 4)];
    let all = others.into_iter().chain([fleet.grant("a", &server.holder(), 7)]).collect();
    fleet.own("one", all, Vec::new());
    fleet.holds("one", &[("a", 7)]);
    assert!(began.elapsed() < Duration::from_secs(10), "told at once: {:?}", began.elapsed());
    known(&edge, "/a.ts");
    let line = edge.logged("a server pod has this stream");
    assert!(line.contains("epoch=7"), "{line}");
    assert_eq!(edge.metric("millrace_edge_paths"), 1);

    let said = Ownership {
        revision: 2,
        grants: vec![fleet.grant("a", &server.holder(), 7)],
        cleared: [("uid-a".to_owned(), 7)].into(),
        revoked: Vec::new(),
    };
    assert!(fleet.operator.server().own("one", said.into()));
    fleet
        .operator
        .hears_of("one", "it was cleared", |known| known.beat.holdings.first()?.cleared.then_some(()));
    let sent = fleet.operator.known("one").beat.sent;
    let covers = [("uid-a".to_owned(), 7)].into();
    assert!(sent > 0 && fleet.operator.server().vouch("one", Vouched { sent, covers }));
    Watcher::new(edge.viewer("/a.ts")).flows(20_000);
}

#[test]
fn a_revoked_feed_is_withdrawn_at_once_and_its_viewers_wait_for_the_new_owner() {
    let fleet = Fleet::new();
    let edge = fleet.balancer("edge");
    let server = fleet.server("one", &camera("a", "OnDemand"), &link_of(&edge), &[]);
    fleet.give(&server, "a", 1);
    known(&edge, "/a.ts");
    let viewer = Watcher::new(edge.viewer("/a.ts"));
    viewer.flows(20_000);

    fleet.own("one", Vec::new(), vec![fleet.signed("a", "two_boot-of-two", 2)]);
    eventually("nobody has it", || (edge.metric("millrace_edge_orphans") == 1).then_some(()));
    fleet.holds("one", &[]);
    let over = fleet.operator.known("one").beat.over;
    assert_eq!(over, [("uid-a".to_owned(), 2)].into());
    server.pod.feed_is("a", "Idle");
    // The operator before is late.
    fleet.give(&server, "a", 1);
    server.pod.logged("after 2 is known");
    assert!(fleet.operator.known("one").beat.holdings.is_empty() && !viewer.ended());

    let other = fleet.server("two", &camera("a", "OnDemand"), &link_of(&edge), &[]);
    fleet.give(&other, "a", 2);
    viewer.flows(40_000);
    assert_eq!(edge.metric("millrace_edge_orphans"), 0);
    // And back again.
    fleet.own("one", vec![fleet.grant("a", &server.holder(), 3)], Vec::new());
    fleet.own("two", Vec::new(), vec![fleet.signed("a", &server.holder(), 3)]);
    fleet.holds("one", &[("a", 3)]);
    server.pod.feed_is("a", "Running");
    other.pod.feed_is("a", "Idle");
    viewer.flows(40_000);
    assert!(!viewer.ended());
}

#[test]
fn whom_the_operator_names_is_believed_though_no_file_says_so() {
    let fleet = Fleet::new();
    let edge = fleet.balancer("edge");
    let mut strangers = fleet.members.clone();
    strangers.members.remove("edge");
    strangers.grant_keys.clear();
    fleet.trust("strangers.json", &strangers);
    let yaml = camera("a", "OnDemand");
    let server = fleet.server_with("one", &yaml, &link_of(&edge), "strangers.json", &[]);
    fleet.give(&server, "a", 1);
    server.pod.logged("no link to this balancer");
    server.pod.logged("none of the operator's");
    fleet.operator.server().introduce("one", fleet.members.clone().into());
    fleet.holds("one", &[("a", 1)]);
    known(&edge, "/a.ts");
    // And not believed any more.
    fleet.operator.server().introduce("one", strangers.into());
    links(&edge, 0);
}

#[test]
fn balancers_that_the_operator_names_are_dialled_at_once_and_left_when_they_are_gone() {
    let fleet = Fleet::new();
    let nobody = free_address().to_string();
    let server = fleet.server("one", &camera("a", "OnDemand"), &nobody, &[]);
    fleet.give(&server, "a", 1);
    let (edge, mut other) = (fleet.balancer("edge"), fleet.balancer("other-edge"));
    let (one, two) = (link_of(&edge), link_of(&other));
    fleet.operator.server().edges("one", edges(&[&one]));
    let told = Instant::now();
    server.pod.logged(&format!("link to a balancer address={one}"));
    assert!(told.elapsed() < Duration::from_secs(4), "{:?}", told.elapsed());
    known(&edge, "/a.ts");
    fleet.operator.server().edges("one", edges(&[&one, &two]));
    known(&other, "/a.ts");
    fleet.operator.server().edges("one", edges(&[&one]));
    let watcher = Watcher::new(other.viewer("/a.ts"));
    watcher.flows(10_000);
    other.signal("KILL");
    other.ended();
    server.pod.logged("this balancer is not there any more");
    Watcher::new(edge.viewer("/a.ts")).flows(10_000);
}

#[test]
fn a_balancer_that_hangs_loses_its_own_sessions_and_disturbs_nobody_else() {
    let fleet = Fleet::new();
    let (edge, other) = (fleet.balancer("edge"), fleet.balancer("other-edge"));
    let to = format!("{},{}", link_of(&edge), link_of(&other));
    let server = fleet.server("one", &camera("a", "OnDemand"), &to, &[]);
    fleet.give(&server, "a", 1);
    known(&edge, "/a.ts");
    known(&other, "/a.ts");
    let (one, two) = (Watcher::new(edge.viewer("/a.ts")), Watcher::new(other.viewer("/a.ts")));
    one.flows(10_000);
    two.flows(10_000);
    let holds = |count: u64| {
        eventually(&format!("{count} sessions"), || {
            (server.pod.entry("feeds", "a")["holds"].as_u64() == Some(count)).then_some(())
        });
    };
    let both = server.pod.entry("feeds", "a")["holds"].as_u64().unwrap();
    other.signal("STOP");
    holds(both / 2);
    one.flows(20_000);
    other.signal("CONT");
    two.flows(20_000);
    holds(both);
    assert!(!one.ended() && !two.ended());
}

//! A stream gets another owner as planned: viewers stay with the one before until there is something to see.

use std::fs;

use millrace_e2e::{Watcher, eventually, live, resource};
use serde_json::json;

use crate::{
    operator::Operator,
    support::{Cluster, known, ts},
};

/// A picture of one colour that comes when `file` is there.
fn late(name: &str, colour: &str, file: &str) -> String {
    let filter = format!("color={colour}:size=160x120:rate=25");
    let ffmpeg = live(&filter, 10, "-b:v 400k -minrate 400k -maxrate 400k -bufsize 100k -nal-hrd cbr -an");
    let wait = format!("until [ -e {file} ]; do sleep 0.05; done; exec \"$0\" \"$@\"");
    let mut argv = vec!["sh".to_owned(), "-c".to_owned(), wait];
    argv.extend(ffmpeg);
    resource("Feed", name, &json!({"source": {"command": argv}, "activation": "Continuous"}))
}

fn all_flow(viewers: &[Watcher], bytes: u64) {
    for viewer in viewers {
        viewer.flows(bytes);
    }
}

#[test]
fn viewers_stay_with_the_former_owner_until_the_next_one_gives_a_picture_and_never_come_back() {
    let (cluster, operator) = (Cluster::new(), Operator::new());
    let edge = operator.balancer(&cluster, "edge", "", &[]);
    let go = cluster.path("go");
    let black = late("a", "black", "/") + &ts("a");
    let first = cluster.server("one", &black, &[("a", 1)], &edge);
    known(&edge, "/a.ts");
    let viewers: Vec<Watcher> = (0..5).map(|_| Watcher::new(edge.viewer("/a.ts?keyframe"))).collect();
    all_flow(&viewers, 20_000);

    let second = cluster.server("two", &(late("a", "white", &go) + &ts("a")), &[("a", 2)], &edge);
    eventually("the next one asks for a session", || {
        (edge.metric("millrace_edge_upstreams_total") == 2).then_some(())
    });
    let told = |holder: String| {
        operator.hears("edge", "this one counts", |said| {
            (said.newest.as_ref()?.get("uid-a")?.holder == holder).then_some(())
        });
    };
    // It is announced and its command runs, but there is nothing of it.
    told(first.holder.to_string());
    all_flow(&viewers, 100_000);
    assert!(viewers[0].brightness(viewers[0].body().len() - 80_000) < 64);
    assert_eq!(edge.metric("millrace_edge_generation_switches_total"), 0);
    told(first.holder.to_string());

    fs::write(&go, "").unwrap();
    told(second.holder.to_string());
    all_flow(&viewers, 60_000);
    assert!(viewers[0].brightness(viewers[0].body().len() - 40_000) > 192);
    assert_eq!(edge.metric("millrace_edge_generation_switches_total"), 1);
    assert!(viewers.iter().all(|viewer| !viewer.ended()));

    // The former owner is alive, and of no use.
    let before = viewers[0].body().len();
    viewers[0].flows(60_000);
    assert!(viewers[0].brightness(before) > 192);
    drop(second);
    eventually("nobody has it", || (edge.metric("millrace_edge_orphans") == 1).then_some(()));
    assert!(viewers.iter().all(|viewer| !viewer.ended()));
    drop(first);
}

#[test]
fn a_former_owner_that_is_fenced_or_dies_before_the_next_one_gives_anything_is_waited_for_no_more() {
    for killed in [false, true] {
        let (cluster, operator) = (Cluster::new(), Operator::new());
        let edge = operator.balancer(&cluster, "edge", "", &[]);
        let go = cluster.path("go");
        let first = cluster.server("one", &(late("a", "black", "/") + &ts("a")), &[("a", 1)], &edge);
        known(&edge, "/a.ts");
        let viewer = Watcher::new(edge.viewer("/a.ts?keyframe"));
        viewer.flows(20_000);
        let second = cluster.server("two", &(late("a", "white", &go) + &ts("a")), &[("a", 2)], &edge);
        eventually("the next one asks for a session", || {
            (edge.metric("millrace_edge_upstreams_total") == 2).then_some(())
        });
        viewer.flows(20_000);
        if killed {
            first.pod.signal("KILL");
        } else {
            operator.fence("edge", &cluster, "a", &second.holder, 2, true);
        }
        operator.hears("edge", "the next one counts", |said| {
            (said.newest.as_ref()?.get("uid-a")?.epoch == 2).then_some(())
        });
        let before = viewer.body().len();
        fs::write(&go, "").unwrap();
        viewer.flows(60_000);
        assert!(viewer.brightness(before + 40_000) > 192);
        assert!(!viewer.ended());
        drop(first);
    }
}

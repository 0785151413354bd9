//! The connection itself: kept to every replica, made again, and to nobody else.

use std::{
    fs,
    time::{Duration, Instant},
};

use millrace_e2e::{Mark, STEADY, Watcher, feed, stream};
use serde_json::json;

use crate::operator::{Files, Operator};

fn yaml(mark: &Mark) -> String {
    feed("door", &mark.shell(STEADY)) + &stream("door", &json!({"path": "/door", "feeds": ["door"]}))
}

#[test]
fn media_flows_on_while_the_operator_is_gone_and_it_is_told_all_when_it_is_back() {
    let (mut operator, mark) = (Operator::new(), Mark::default());
    let files = Files::new(&operator.shown, "cams-door").with(1, &yaml(&mark), "");
    let pod = files.run(&[operator.address], &[]);
    operator.joins();
    let viewer = Watcher::new(pod.viewer("/door"));
    operator.stop();
    viewer.flows(300_000);
    let began = Instant::now();
    let operator = Operator::at(operator.address, operator.shown.clone());
    operator.joins();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let beat = operator.pod().beat;
    assert!(beat.feeds.unwrap().contains_key("door") && beat.streams.unwrap().contains_key("door"));
    operator.push(2, &(yaml(&mark) + &stream("more", &json!({"path": "/more", "feeds": ["door"]}))), "");
    operator.hears("it runs revision 2", |pod| (pod.beat.revision == 2).then_some(()));
    viewer.flows(100_000);
}

#[test]
fn all_replicas_are_told_and_whichever_leads_is_heard() {
    let (one, mark) = (Operator::new(), Mark::default());
    let two = Operator::at(([127, 0, 0, 1], 0).into(), one.shown.clone());
    let files = Files::new(&one.shown, "cams-door").with(1, &yaml(&mark), "");
    let _pod = files.run(&[one.address, two.address], &[]);
    one.joins();
    two.joins();
    let more = |path: &str| yaml(&mark) + &stream("more", &json!({"path": path, "feeds": ["door"]}));
    one.push(2, &more("/two"), "");
    two.hears("it runs revision 2", |pod| (pod.beat.revision == 2).then_some(()));
    two.push(3, &more("/three"), "");
    one.hears("it runs revision 3", |pod| (pod.beat.revision == 3).then_some(()));
    // One that was the leader, and does not know yet that it is not.
    one.push(2, &more("/old"), "");
    let before = one.pod().beats;
    one.hears("some beats later it still does", |pod| (pod.beats > before + 2).then_some(()));
    assert_eq!(one.pod().beat.revision, 3);
}

#[test]
fn an_operator_with_another_certificate_is_not_talked_to_until_it_is_known() {
    let (operator, other, mark) = (Operator::new(), Operator::new(), Mark::default());
    let files = Files::new(&other.shown, "cams-door").with(1, &yaml(&mark), "");
    let pod = files.run(&[operator.address], &[]);
    let line = pod.logged("no connection to the operator");
    assert!(line.contains("certificate"), "{line}");
    assert!(pod.read("/door", 1000).0.starts_with("HTTP/1.1 200"), "its files run");
    assert_eq!(operator.pod().joined, 0);
    // The Secret is replaced.
    fs::write(files.path("secret/operator.crt"), &operator.shown.certificate).unwrap();
    operator.joins();
}

#[test]
fn a_media_pod_with_the_token_of_another_slot_is_refused() {
    let (operator, mark) = (Operator::new(), Mark::default());
    let files = Files::new(&operator.shown, "cams-garden").with(1, &yaml(&mark), "");
    let pod = files.run(&[operator.address], &[]);
    let line = pod.logged("no connection to the operator");
    assert!(line.contains("the token is of another slot"), "{line}");
    assert_eq!(operator.pod().joined, 0);
    let token = fs::read_to_string(files.path("secret/token")).unwrap();
    assert!(!pod.log().join("\n").contains(&token));
}

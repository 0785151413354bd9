//! Sets and their members.

use kube::ResourceExt;

use super::faulty::{feed, stream};
use crate::simulated::Simulated;

const CLUSTER: &str =
    "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec: {}\n";
const DOORS: &str = "source: {command: [ffmpeg, \"{each}\"]}, each: ";

fn doors() -> Simulated {
    let yaml = CLUSTER.to_owned()
        + &feed("door", &format!("{DOORS}[front, back]"))
        + &stream("view", "eachOf: door, path: \"/{each}.ts\", feeds: [\"door-{each}\"]");
    let mut all = Simulated::new(&yaml);
    all.settle();
    all
}

fn feeds(all: &Simulated) -> Vec<String> {
    let mut names: Vec<String> = all.view.feeds.iter().map(|it| it.name_any()).collect();
    names.sort();
    names
}

#[test]
fn members_come_and_go_with_their_pieces_and_run() {
    let mut all = doors();
    assert_eq!(feeds(&all), ["door", "door-back", "door-front"]);
    assert!(all.ready("Stream/view-front").starts_with("True/Idle"), "{}", all.ready("Stream/view-front"));
    assert_eq!(all.ready("Feed/door"), "True/MembersReady: 2 of 2 members are Ready");
    assert_eq!(all.ready("Stream/view"), "True/MembersReady: 2 of 2 members are Ready");
    let pods = all.pods();
    all.write(&feed("door", &format!("{DOORS}[front, back, side]")));
    all.settle();
    assert_eq!(all.pods().len(), 3);
    assert!(pods.iter().all(|pod| all.pods().contains(pod)), "a new member moves nobody");
    all.write(&feed("door", &format!("{DOORS}[front]")));
    all.settle();
    assert_eq!(feeds(&all), ["door", "door-front"]);
    assert_eq!(all.pods().len(), 1);
}

#[test]
fn a_name_that_is_taken_is_said_and_nothing_is_taken_over() {
    let mut all = Simulated::new(&(CLUSTER.to_owned() + &feed("door-back", "source: {command: [mine]}")));
    all.settle();
    all.write(&feed("door", &format!("{DOORS}[front, back]")));
    all.settle();
    let said = all.ready("Feed/door");
    assert!(said.starts_with("False/NameTaken: ") && said.contains("door-back"), "{said}");
    assert!(all.ready("Feed/door-front").starts_with("True"));
    let other = all.view.feeds.iter().find(|it| it.name_any() == "door-back").unwrap();
    assert_eq!(other.spec.source.command.as_deref(), Some(&["mine".to_owned()][..]));
}

#[test]
fn a_member_that_somebody_edits_is_put_right() {
    let mut all = doors();
    all.write(&feed("door-front", "source: {command: [other]}"));
    all.settle();
    let member = all.view.feeds.iter().find(|it| it.name_any() == "door-front").unwrap();
    assert_eq!(member.spec.source.command.as_deref(), Some(&["ffmpeg".to_owned(), "front".to_owned()][..]));
}

//! What the operator pushes is run, what is wrong with it is told, and files count only where they are newer.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use millrace_e2e::{Mark, Pod, STEADY, Watcher, eventually, feed, resource, stream};
use millrace_report::message::Directory;
use serde_json::json;

use crate::operator::{Files, Operator, free_address};

fn base(mark: &Mark) -> String {
    let cluster = resource("Cluster", "default", &json!({"heartbeat": {"interval": "300ms"}}));
    cluster + &feed("door", &mark.shell(STEADY)) + &at("door", "/door")
}

fn at(name: &str, path: &str) -> String {
    stream(name, &json!({"path": path, "feeds": ["door"]}))
}

fn revision(pod: &Pod) -> String {
    pod.stat()["configuration"]["revision"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_pushed_configuration_runs_and_disturbs_nobody() {
    let (operator, mark) = (Operator::new(), Mark::default());
    let files = Files::new(&operator.shown, "cams-door").with(1, &base(&mark), "");
    let pod = files.run(&[operator.address], &[]);
    operator.joins();
    let known = operator.hears("it runs revision 1", |pod| (pod.beat.revision == 1).then(|| pod.clone()));
    assert_eq!((known.hello.cluster.as_str(), known.hello.slot.as_str()), ("default", "cams-door"));
    assert_eq!((known.hello.namespace.as_str(), known.hello.pod.as_str()), ("video", "cams-door-x1y2z"));
    assert!(!known.hello.boot.is_empty() && !known.hello.version.is_empty());
    let viewer = Watcher::new(pod.viewer("/door"));
    viewer.flows(50_000);

    operator.push(2, &(base(&mark) + &at("more", "/more")), "");
    operator.hears("it runs revision 2", |pod| (pod.beat.revision == 2).then_some(()));
    assert!(operator.pod().beat.streams.unwrap().contains_key("more"));
    let (head, _) = pod.read("/more", 1000);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    viewer.flows(50_000);
    assert_eq!(revision(&pod), "2");
    assert_eq!(pod.entry("feeds", "door")["restarts"], 0);
    operator.hears("somebody watches", |pod| (pod.beat.viewers == 1).then_some(()));

    // What is older, or the same again, changes nothing; and then something newer does.
    operator.push(1, &base(&mark), "");
    operator.push(2, "", "");
    operator.push(4, &base(&mark), "");
    operator.hears("it runs revision 4", |pod| (pod.beat.revision == 4).then_some(()));
    assert_eq!(pod.log().iter().filter(|line| line.contains("configuration taken")).count(), 2);
}

#[test]
fn a_wrong_configuration_is_refused_in_words_and_the_last_good_one_runs_on() {
    let (operator, mark) = (Operator::new(), Mark::default());
    let files = Files::new(&operator.shown, "cams-door").with(1, &base(&mark), "");
    let pod = files.run(&[operator.address], &[]);
    operator.joins();
    let viewer = Watcher::new(pod.viewer("/door"));
    viewer.flows(10_000);
    operator.push(2, &(base(&mark) + &at("more", "/door")), "");
    let refused = operator.hears("revision 2 is refused", |pod| pod.beat.refused.clone());
    assert_eq!(refused.revision, 2);
    assert!(refused.reason.contains("millrace.yaml:") && refused.reason.contains("Stream/"), "{refused:?}");
    assert_eq!(operator.pod().beat.revision, 1);
    viewer.flows(50_000);
    assert_eq!(revision(&pod), "1");
    assert_eq!(pod.status("/readyz"), 200);
    operator.push(3, &(base(&mark) + &at("more", "/more")), "");
    operator
        .hears("revision 3 runs", |pod| (pod.beat.revision == 3 && pod.beat.refused.is_none()).then_some(()));
}

#[test]
fn files_are_taken_only_where_all_of_them_are_newer() {
    let (operator, mark) = (Operator::new(), Mark::default());
    let files = Files::new(&operator.shown, "cams-door").with(5, &base(&mark), "");
    let pod = files.run(&[operator.address], &[]);
    operator.joins();
    operator.push(6, &(base(&mark) + &at("more", "/more")), "");
    operator.hears("revision 6 runs", |pod| (pod.beat.revision == 6).then_some(()));
    // Another text and no other revision; then one of two files.
    fs::write(files.path("config/millrace.yaml"), base(&mark)).unwrap();
    fs::write(files.path("config/revision"), "7").unwrap();
    fs::write(files.path("secret/revision"), "6").unwrap();
    let stays = Instant::now();
    while stays.elapsed() < Duration::from_secs(3) {
        assert_eq!(operator.pod().beat.revision, 6);
        std::thread::sleep(Duration::from_millis(50));
    }
    files.write(8, &(base(&mark) + &at("eight", "/eight")), "");
    operator.hears("revision 8 runs", |pod| (pod.beat.revision == 8).then_some(()));
    assert_eq!(pod.read("/eight", 10).1.len().min(10), 10);
}

#[test]
fn without_a_right_configuration_it_waits_and_says_why() {
    let (operator, mark) = (Operator::new(), Mark::default());
    let internal = free_address();
    let files = Files::new(&operator.shown, "cams-door").with(3, "kind: Nonsense\n", "");
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| files.run(&[operator.address], &["--internal", &internal.to_string()]));
        let get = |path: &str| {
            let url = format!("http://{internal}{path}");
            let out = Command::new("curl").args(["-s", "-w", "%{http_code}", &url]).output().unwrap();
            String::from_utf8_lossy(&out.stdout).into_owned()
        };
        let said = eventually("it says that it is not ready", || {
            Some(get("/readyz")).filter(|said| said.ends_with("503"))
        });
        assert!(said.contains("no configuration yet") && said.contains("millrace.yaml:1"), "{said}");
        assert!(get("/healthz").ends_with("200"));
        let refused = operator.hears("revision 3 is refused", |pod| pod.beat.refused.clone());
        assert_eq!((refused.revision, operator.pod().beat.revision), (3, 0));
        assert!(refused.reason.contains("apiVersion"), "{refused:?}");
        // Still nothing right, then something.
        operator.push(4, "kind: Nonsense\n", "");
        operator.hears("revision 4 is refused", |pod| pod.beat.refused.clone().filter(|it| it.revision == 4));
        operator.push(5, &base(&mark), "");
        let pod = starting.join().unwrap();
        operator.hears("revision 5 runs", |pod| {
            (pod.beat.revision == 5 && pod.beat.refused.is_none() && pod.hello.cluster == "default")
                .then_some(())
        });
        assert!(get("/readyz").ends_with("200"));
        assert_eq!(revision(&pod), "5");
    });
}

#[test]
fn the_directory_is_taken_and_its_revision_is_told() {
    let (operator, mark) = (Operator::new(), Mark::default());
    let files = Files::new(&operator.shown, "cams-door").with(1, &base(&mark), "");
    let _pod = files.run(&[operator.address], &[]);
    operator.joins();
    // What comes last counts: another leader may begin to count anew.
    for revision in [7, 2] {
        let directory =
            Directory { revision, token: "a token of the Cluster".to_owned(), ..Directory::default() };
        assert!(operator.server().direct(crate::operator::UID, directory.into()));
        operator.hears("it has the directory", |pod| (pod.beat.directory == revision).then_some(()));
    }
}

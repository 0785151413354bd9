//! What is wrong with one object stays its own.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::simulated::Simulated;

const CLUSTER: &str = "---\napiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec: {templates: {cam: {command: [ffmpeg, -i, \"{device}\", \"-\"]}}}\n";

pub fn feed(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: millrace.dev/v1alpha1\nkind: Feed\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    )
}

pub fn stream(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: millrace.dev/v1alpha1\nkind: Stream\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    )
}

fn three() -> Simulated {
    let mut yaml = CLUSTER.to_owned();
    for name in ["a", "b", "c"] {
        yaml += &feed(name, "source: {command: [ffmpeg, \"-\"]}");
        yaml += &stream(&format!("{name}-ts"), &format!("path: /{name}.ts, feeds: [{name}]"));
    }
    let mut all = Simulated::new(&yaml);
    all.settle();
    all
}

#[test]
fn a_bad_edit_keeps_the_last_good() {
    let mut all = three();
    let (before, pods) = (all.yaml(), all.pods());
    all.write(&feed("a", "source: {template: {name: cma, args: {device: /dev/video0}}}"));
    all.settle();
    assert_eq!(all.yaml(), before);
    assert_eq!(all.pods(), pods);
    assert_eq!(
        all.ready("Feed/a"),
        "False/TemplateNotFound: spec.source.template.name: there is no template cma (did you mean cam?)"
    );
    assert!(all.ready("Feed/b").starts_with("True/Idle"));
    assert!(all.ready("Stream/a-ts").starts_with("True/Idle"), "what ran runs on");
    assert_eq!(all.events.iter().filter(|it| it.kind == "Feed").count(), 1, "{:?}", all.events);
    all.write(&feed("a", "source: {template: {name: cam, args: {device: /dev/video0}}}"));
    all.settle();
    assert!(all.ready("Feed/a").starts_with("True/Idle"));
    assert_eq!(all.pods(), pods);
    let changed: Vec<_> = all.yaml().into_iter().filter(|(slot, yaml)| before[slot] != *yaml).collect();
    assert_eq!(changed.len(), 1);
    assert!(changed[0].1.contains("/dev/video0"));
}

#[test]
fn a_bad_cluster_keeps_the_last_good_and_its_templates_work_on() {
    let mut all = three();
    let before = all.yaml();
    all.write(&CLUSTER.replace("spec: {", "spec: {listeners: {http: {port: 9000}}, "));
    all.write(&feed("b", "source: {template: {name: cam, args: {device: /dev/video1}}}"));
    all.settle();
    assert!(all.ready("Cluster/default").starts_with("False/Invalid: spec.listeners.http.port"));
    let changed: Vec<_> = all.yaml().into_iter().filter(|(slot, yaml)| before[slot] != *yaml).collect();
    assert_eq!(changed.len(), 1);
    assert!(changed[0].1.contains("/dev/video1"));
}

#[test]
fn a_stream_of_a_feed_that_is_not_there_says_so_and_waits() {
    let mut all = three();
    all.write(&stream("late", "path: /late.ts, feeds: [late]"));
    all.settle();
    assert!(all.ready("Stream/late").starts_with("False/FeedNotFound: spec.feeds[0]: there is no Feed late"));
    all.write(&feed("late", "source: {command: [ffmpeg, \"-\"]}"));
    all.settle();
    assert!(all.ready("Stream/late").starts_with("True/Idle"), "{}", all.ready("Stream/late"));
}

#[test]
fn who_had_a_path_keeps_it() {
    let mut all = three();
    let before = all.yaml();
    all.write(&stream("a-new", "path: /b.ts, feeds: [a]"));
    all.write(&stream("c-ts", "path: /b.ts, feeds: [c]"));
    all.settle();
    assert_eq!(all.yaml(), before);
    for loser in ["a-new", "c-ts"] {
        let said = all.ready(&format!("Stream/{loser}"));
        assert!(said.starts_with("False/PathTaken: spec.path: /b.ts is the path of Stream/b-ts"), "{said}");
    }
    assert!(all.ready("Stream/b-ts").starts_with("True"));
    all.delete_stream("b-ts");
    all.settle();
    assert!(all.ready("Stream/a-new").starts_with("True") != all.ready("Stream/c-ts").starts_with("True"));
}

#[test]
fn a_fallback_that_is_missing_does_not_stop_the_feed() {
    let mut all = three();
    all.write(&feed("a", "source: {command: [ffmpeg, \"-\"]}, fallback: [b]"));
    all.settle();
    assert!(all.ready("Feed/a").starts_with("True"));
    assert!(all.yaml().values().any(|yaml| yaml.contains("millrace://feeds/b")));
    all.delete_feed("b");
    all.settle();
    assert!(all.ready("Feed/a").starts_with("True"));
    let conditions = all.view.feeds.iter().find(|it| it.metadata.name.as_deref() == Some("a")).unwrap();
    let conditions = &conditions.status.as_ref().unwrap().conditions;
    assert!(conditions.iter().any(|it| it.type_ == "FallbackMissing" && it.status == "True"));
}

/// Ways to make an object wrong.
fn wrong(name: &str, how: usize) -> String {
    match how {
        0 => feed(name, "source: {template: {name: nothing}}"),
        1 => feed(name, "source: {pull: {urlFrom: {secretKeyRef: {name: gone, key: url}}}}"),
        2 => feed(name, "source: {command: [ffmpeg, \"{nothing}\"]}"),
        3 => stream(&format!("{name}-ts"), "path: /b.ts, feeds: [nothing]"),
        4 => stream(&format!("{name}-ts"), "path: /stat, feeds: [b]"),
        5 => stream(&format!("{name}-ts"), &format!("path: /b.ts, feeds: [{name}]")),
        6 => feed(name, "source: {command: [ffmpeg, \"-\"]}, image: \"a b\""),
        7 => feed(name, "source: {command: [ffmpeg, \"-\"]}, fallback: [nothing, b]"),
        _ => feed(name, "source: {file: {path: /a.ts, volume: {emptyDir: {}}}}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn one_faulty_object_never_touches_another(faults in proptest::collection::vec(0..9_usize, 1..5)) {
        let mut all = three();
        let others = |all: &Simulated| -> BTreeMap<String, String> {
            all.yaml().into_iter().filter(|(slot, _)| !slot.starts_with("default-a-")).collect()
        };
        let before = others(&all);
        for how in faults {
            all.write(&wrong("a", how));
            all.settle();
            prop_assert_eq!(&others(&all), &before);
            for fine in ["Feed/b", "Feed/c", "Stream/b-ts", "Stream/c-ts", "Cluster/default"] {
                prop_assert!(all.ready(fine).starts_with("True"), "{}: {}", fine, all.ready(fine));
            }
        }
    }
}

use crate::{errors, file};

#[test]
fn what_is_wrong_between_objects_is_said_of_the_right_one() {
    let feed = |name: &str, more: &str| {
        format!("kind: Feed\nmetadata: {{name: {name}}}\nspec: {{source: {{command: [x]}}{more}}}\n")
    };
    let stream =
        |name: &str, more: &str| format!("kind: Stream\nmetadata: {{name: {name}}}\nspec: {{{more}}}\n");
    let cases: Vec<(Vec<String>, Vec<&str>)> = vec![
        (
            vec![feed("a", ""), stream("s", "path: /a, feeds: [a]"), stream("t", "path: /a, feeds: [a]")],
            vec!["f.yaml:14: Stream/t spec.path: /a is the path of Stream/s, too (a path of its own)"],
        ),
        (
            vec![feed("a", ""), stream("s", "path: /a, feeds: [a]"), stream("s", "path: /b, feeds: [a]")],
            vec![
                "f.yaml:13: Stream/s metadata.name: there is another Stream called s (rename or remove one)",
            ],
        ),
        (
            vec![feed("a", ", fallback: [b]"), feed("b", ", fallback: [c]"), feed("c", ", fallback: [a]")],
            vec![
                "f.yaml:4: Feed/a spec.fallback: the fallbacks go round: a -> b -> c -> a (the last resort needs no fallback)",
            ],
        ),
        (
            vec![feed("x", ", each: [a, b]"), feed("x-a", ""), stream("s", "path: /a, feeds: [x]")],
            vec![
                "f.yaml:4: Feed/x spec.each: the member's name x-a is taken by Feed/x-a (rename one)",
                "f.yaml:14: Stream/s spec.feeds[0]: there is no Feed x (x is a set: name a member, such as x-{each})",
            ],
        ),
        (
            vec![feed("front-door-camera-of-the-house", ", each: [eleven-more]")],
            vec![
                "f.yaml:4: Feed/front-door-camera-of-the-house spec.each[0]: the member's name front-door-camera-of-the-house-eleven-more is no name (the set's name, - and the piece: at most 40 of a-z, 0-9 and -)",
            ],
        ),
        (
            vec![
                "kind: Cluster\nmetadata: {name: one}\nspec: {}\n".to_owned(),
                "kind: Cluster\nmetadata: {name: two}\nspec: {}\n".to_owned(),
            ],
            vec![
                "f.yaml:8: Cluster/two metadata.name: there is another Cluster, one: a media pod runs one (keep one Cluster in the file)",
            ],
        ),
        (
            vec![
                "kind: Cluster\nmetadata: {name: one}\nspec: {}\n".to_owned(),
                feed("a", ", clusterRef: {name: onee}"),
            ],
            vec!["f.yaml:9: Feed/a spec.clusterRef.name: there is no Cluster onee (the Cluster here is one)"],
        ),
        (
            vec!["kind: Room\nmetadata: {name: r}\nspec: {streamRef: {name: s}}\n".to_owned()],
            vec!["f.yaml:4: Room/r spec.streamRef.name: there is no Stream s (known: none)"],
        ),
        (
            vec![
                "kind: Feed\nmetadata: {name: a}\nspec: {source: {publish: {path: /p}}}\n".to_owned(),
                "kind: Feed\nmetadata: {name: b}\nspec: {source: {publish: {path: /p}}}\n".to_owned(),
            ],
            vec![
                "f.yaml:9: Feed/b spec.source.publish.path: /p is where Feed/a is published, too (a path of its own)",
            ],
        ),
        // A broken object says so itself; those who name it are not blamed.
        (
            vec![
                "kind: Feed\nmetadata: {name: a}\nspec: {source: {}}\n".to_owned(),
                stream("s", "path: /a, feeds: [a]"),
            ],
            vec![
                "f.yaml:4: Feed/a spec.source: exactly one of command, template, file, pull and publish must be given",
            ],
        ),
        // What is wrong in one field does not hide what is wrong in another, nor between objects.
        (
            vec![
                feed("a", ", silence: 7d"),
                stream("s", "path: /a, feeds: [a, c], flush: 1, command: [x, \"{q}\"]"),
            ],
            vec![
                "f.yaml:4: Feed/a spec.silence: 7d is not a duration, such as 10s, 1h30m or 200ms",
                "f.yaml:9: Stream/s spec.feeds[1]: there is no Feed c (did you mean a?)",
                "f.yaml:9: Stream/s spec.flush: 1 is a number; it must be a string (write \"1\")",
                "f.yaml:9: Stream/s spec.command[1]: {q} is not known here (known: {feed:a}, {feed:c}, {output}; write {{ and }} for braces)",
            ],
        ),
    ];
    for (documents, wanted) in cases {
        let text = file(&documents.join("---\n"));
        assert_eq!(errors(&text), wanted, "{text}");
    }
}

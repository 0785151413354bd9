use millrace_crds::{Diagnostic, check, load};

use crate::{errors, file};

#[test]
fn a_document_that_is_none_of_ours_is_named() {
    let cases: &[(&str, &[&str])] = &[
        (
            "kind: Feed",
            &[
                "f.yaml:1: the document has no apiVersion (such as apiVersion: millrace.dev/v1alpha1 and kind: Feed)",
            ],
        ),
        (
            "apiVersion: millrace.dev/v1beta1\nkind: Feed\n",
            &[
                "f.yaml:1: apiVersion: the apiVersion millrace.dev/v1beta1 is not known for kind Feed (write apiVersion: millrace.dev/v1alpha1)",
            ],
        ),
        (
            "apiVersion: millrace.dev/v1alpha1\nkind: Fede\n",
            &["f.yaml:2: kind: millrace.dev/v1alpha1 has no kind Fede (did you mean Feed?)"],
        ),
        (
            "apiVersion: example.com/v1\nkind: Thing\n",
            &[
                "f.yaml:2: kind: example.com/v1 Thing is not known (known are Feed, Stream, Cluster and Room of millrace.dev/v1alpha1, and Secret and List of v1)",
            ],
        ),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", &[]),
        ("apiVersion: apps/v1\nkind: Deployment\n", &[]),
        (
            "- a\n- b\n",
            &["f.yaml:1: a document must be a mapping (it begins with apiVersion, kind and metadata)"],
        ),
        (
            "apiVersion: millrace.dev/v1alpha1\nkind: Feed\nspec: {source: {command: [x]}}\n",
            &["f.yaml:1: Feed: the field metadata is missing"],
        ),
        (
            "apiVersion: millrace.dev/v1alpha1\nkind: Feed\nmetadata: {name: a, lables: {}}\nspec: {source: {command: [x]}}\n",
            &["f.yaml:3: Feed/a metadata.lables: the field lables is not known (did you mean labels?)"],
        ),
        (
            "apiVersion: millrace.dev/v1alpha1\nkind: Feed\nmetadata: {name: a}\nspecs: {}\n",
            &[
                "f.yaml:1: Feed/a: the field spec is missing (One input: the output of a command, a file or named pipe, a URL to pull, or a place to publish to)",
                "f.yaml:4: Feed/a specs: the field specs is not known (did you mean spec?)",
            ],
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/tls\ndata: {tls.crt: \"*\"}\n",
            &[
                "f.yaml:4: Secret/s type: a Secret of type kubernetes.io/tls needs tls.crt and tls.key (add it to data (base64) or stringData (as it is))",
                "f.yaml:5: Secret/s data[\"tls.crt\"]: is not base64: Invalid symbol 42, offset 0. (put text as it is into stringData)",
            ],
        ),
        ("apiVersion: v1\nkind: List\n", &["f.yaml:1: the List has no items"]),
    ];
    for (text, wanted) in cases {
        assert_eq!(errors(text), *wanted, "{text}");
    }
}

#[test]
fn what_is_no_yaml_is_said_and_the_other_documents_are_still_read() {
    let text =
        "a: [1, -, 2]\n---\napiVersion: millrace.dev/v1alpha1\nkind: Fede\n---\na: \"x\n---\nkind: x\n";
    let found = errors(text);
    assert_eq!(found[0], "f.yaml:1: a bare - in a [list], on which YAML readers do not agree (write \"-\")");
    assert_eq!(found[1], "f.yaml:4: kind: millrace.dev/v1alpha1 has no kind Fede (did you mean Feed?)");
    assert!(found[2].contains("not YAML"), "{found:?}");
    assert_eq!(
        errors("apiVersion: v1\nkind: Namespace\napiVersion: v1\n"),
        [
            "f.yaml:3: the key apiVersion is there twice, first in line 1 (kubectl takes the last one: remove one)"
        ]
    );
}

#[test]
fn json_lists_comments_anchors_and_empty_documents_are_read() {
    let json = r#"{"apiVersion": "v1", "kind": "List", "items": [
	{"apiVersion": "millrace.dev/v1alpha1", "kind": "Feed", "metadata": {"name": "a"}, "spec": {"source": {"command": ["x"]}}},
	{"apiVersion": "millrace.dev/v1alpha1", "kind": "Stream", "metadata": {"name": "s"}, "spec": {"path": "/s", "feeds": ["a"]}}
]}"#;
    let resolved = load("f.json", json).unwrap();
    assert_eq!((resolved.feeds.len(), resolved.streams.len()), (1, 1));

    let yaml = "# a comment\n---\n---\n# nothing\n---\napiVersion: &v millrace.dev/v1alpha1\nkind: Feed\nmetadata: {name: a}\nspec: &s\n  source: {command: [x]}\n  silence: 3s\n...\n---\napiVersion: millrace.dev/v1alpha1\nkind: Stream\nmetadata: {name: s}\nspec:\n  path: /s\n  feeds: &f [a]\n  protocols: null\n";
    let resolved = load("f.yaml", yaml).unwrap();
    assert_eq!(resolved.feeds["a"].silence.as_secs(), 3);

    let merged = "apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: default}\nspec:\n  templates:\n    a: &a\n      command: [x, \"{p}\"]\n      args: {p: 1}\n    b:\n      <<: *a\n      args: {p: 2}\n---\napiVersion: millrace.dev/v1alpha1\nkind: Feed\nmetadata: {name: f}\nspec: {source: {template: {name: b}}}\n";
    let resolved = load("f.yaml", merged).unwrap();
    assert!(format!("{:?}", resolved.feeds["f"].source).contains("[\"x\", \"2\"]"));
    assert!(load("f.yaml", "").unwrap().streams.is_empty());
}

#[test]
fn what_is_doubtful_is_a_warning() {
    let text = file(
        "kind: Feed\nmetadata: {name: a}\nspec: {source: {command: [x]}, resurrect: yes}\n---\nkind: Stream\nmetadata: {name: s}\nspec: {path: /s, command: [x]}\n",
    ) + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n";
    let checked = check("f.yaml", &text);
    let warnings: Vec<String> = checked.warnings.iter().map(Diagnostic::to_string).collect();
    assert!(checked.resolved.is_some_and(|resolved| resolved.feeds["a"].resurrect));
    assert_eq!(
        warnings,
        [
            "f.yaml:3: Feed/a metadata.name: no Stream uses this Feed (name it in a Stream's spec.feeds)",
            "f.yaml:4: Feed/a spec.resurrect: yes without quotes is true to kubectl, and not to every YAML reader (write true)",
            "f.yaml:11: v1 Namespace is nothing that a media pod reads: left out",
        ]
    );
}

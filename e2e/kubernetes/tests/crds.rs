//! What `kubectl` shows of the CRDs, and what the API server takes.

use std::fs;

use millrace_e2e::repository;
use millrace_e2e_kubernetes::{kubectl, object, with_bare_namespace};
use serde_json::{Value, json};

#[test]
fn explain_reads_like_documentation() {
    with_bare_namespace("explain", |_| {
        for (field, text) in [
            ("feeds", "One input: a command's output, a file or named pipe, a URL to pull"),
            ("feeds.spec.source", "Where the media come from. Exactly one of its fields."),
            ("feeds.status.state", "(rests, because nobody uses it)"),
            ("streams.spec.path", "Where the Stream is served"),
            (
                "clusters.spec.servers.packing.feedsPerPod",
                "The most Feeds of one pod (1 to 1000). Default: 1.",
            ),
            ("rooms.spec.keep.age", "The age at which a message goes."),
        ] {
            // Wrapped to the width of a terminal.
            let said =
                kubectl(&format!("explain {field}")).ok().split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(text), "{field}: {said}");
        }
        for kind in ["feeds", "streams", "clusters", "rooms"] {
            let said = kubectl(&format!("explain {kind} --recursive")).ok();
            assert!(said.contains("clusterRef") || kind == "clusters", "{said}");
        }
    });
}

#[test]
fn columns_short_names_and_a_category() {
    with_bare_namespace("columns", |space| {
        space.apply(&object("Cluster", "c", &json!({})));
        for (kind, spec, columns) in [
            ("Cluster", json!({}), "NAME SERVERS BALANCERS FEEDS READY REASON ADDRESS AGE"),
            ("Feed", json!({"source": {"command": ["x"]}}), "NAME SOURCE STATE READY REASON POD AGE"),
            ("Stream", json!({"path": "/a", "command": ["x"]}), "NAME PATH STATE READY REASON AGE"),
            ("Room", json!({}), "NAME"),
        ] {
            // On a Cluster that is never there.
            let spec = match kind {
                "Cluster" => spec,
                _ => millrace_e2e::merged(spec, &json!({"clusterRef": {"name": "nowhere"}})),
            };
            space.apply(&object(kind, "a", &spec));
            let short = match kind {
                "Cluster" => "mrc",
                "Feed" => "feed",
                "Stream" => "st",
                _ => "room",
            };
            let said = space.kubectl(&format!("get {short}")).ok();
            let head =
                said.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(head.starts_with(columns), "{kind}: {head}");
        }
        let wide = space.kubectl("get streams -o wide").ok();
        assert!(wide.contains("URL"), "{wide}");
        let all = space.kubectl("get millrace -o name").ok();
        for name in
            ["cluster.millrace.dev/c", "feed.millrace.dev/a", "stream.millrace.dev/a", "room.millrace.dev/a"]
        {
            assert!(all.contains(name), "{all}");
        }
        let selected = space.kubectl("get feeds -o name --field-selector spec.clusterRef.name=nowhere").ok();
        assert_eq!(selected.trim(), "feed.millrace.dev/a");
        let scaled = space.kubectl("scale cluster c --replicas=3").ok();
        assert!(scaled.contains("scaled"), "{scaled}");
        assert_eq!(space.get("Cluster", "c")["spec"]["balancers"]["replicas"], 3);
    });
}

#[test]
fn every_example_and_manifest_is_taken_as_it_is() {
    with_bare_namespace("examples", |space| {
        let mut files: Vec<_> =
            fs::read_dir(repository("examples")).unwrap().flatten().map(|f| f.path()).collect();
        files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
        assert!(files.len() > 10, "{files:?}");
        for file in files {
            let said = space
                .kubectl("apply --server-side --dry-run=server --validate=strict -f")
                .with(&[&file.display().to_string()])
                .run();
            assert!(said.code == Some(0) && !said.err.contains("arning"), "{}: {}", file.display(), said.err);
        }
        kubectl("apply --server-side --force-conflicts -f manifests/namespace.yaml").ok();
        let said = kubectl("apply --server-side --dry-run=server --force-conflicts -R -f manifests/").run();
        assert_eq!(said.code, Some(0), "{}", said.err);
    });
}

#[test]
fn what_client_side_apply_and_edit_send_is_taken_and_refused_alike() {
    with_bare_namespace("client", |space| {
        let good = object(
            "Stream",
            "a",
            &json!({"path": "/a", "command": ["x"], "clusterRef": {"name": "nowhere"}}),
        );
        space.kubectl("apply -f -").input(&good.to_string()).ok();
        let wrong = |change: Value| {
            space.kubectl("patch stream a --type=merge -p").with(&[&change.to_string()]).fails()
        };
        for (change, message) in [
            (
                json!({"spec": {"path": "/a/pic"}}),
                "a path must not end in pic, index.m3u8, manifest.mpd, whep or whip",
            ),
            (json!({"spec": {"flush": "soon"}}), "spec.flush"),
            (
                json!({"spec": {"template": {"name": "t"}}}),
                "at most one of command and template may be given",
            ),
            (json!({"spec": {"clusterRef": {"name": "other"}}}), "clusterRef cannot be changed"),
            (
                json!({"spec": {"container": "Mp4"}}),
                "Unsupported value: \"Mp4\": supported values: \"MpegTs\", \"Fmp4\"",
            ),
        ] {
            let said = wrong(change);
            assert!(said.contains(message), "{said}");
        }
        assert_eq!(space.get("Stream", "a")["spec"]["path"], "/a");
    });
}

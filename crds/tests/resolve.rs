//! The final form: what templates, sets and placeholders become, and that it is final.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what is wrong by failing")]

use std::time::Duration;

use millrace_crds::{
    FinalSource, Resolved,
    kinds::FeedSpec,
    load,
    resolve::{Objects, member_spec, resolve},
    resolved::GopCache,
    shared::Activation,
    to_yaml,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn document(kind: &str, name: &str, spec: &Value) -> String {
    json!({"apiVersion": "millrace.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
        .to_string()
}

fn resolved(documents: &[String]) -> Resolved {
    load("f.json", &documents.join("\n---\n")).unwrap()
}

fn argv(feed: &FinalSource) -> &[String] {
    match feed {
        FinalSource::Command { argv } => argv,
        _ => &[],
    }
}

#[test]
fn the_smallest_file_has_every_default() {
    let resolved = resolved(&[
        document("Feed", "door", &json!({"source": {"pull": {"url": "rtsp://door.lan/ch1"}}})),
        document("Stream", "door", &json!({"path": "/door.ts", "feeds": ["door"]})),
    ]);
    let feed = &resolved.feeds["door"];
    assert_eq!(
        (feed.activation, feed.resurrect, feed.silence),
        (Activation::OnDemand, true, Duration::from_secs(10))
    );
    let stream = &resolved.streams["door"];
    assert_eq!((stream.gop_cache, stream.flush, &stream.command), (GopCache::Bytes(16 << 20), None, &None));
    assert_eq!((stream.snapshot.enabled, stream.snapshot.quality), (true, 85));
    let cluster = &resolved.cluster;
    assert_eq!(
        (cluster.name.as_str(), cluster.http.map(|it| it.port), cluster.https),
        ("default", Some(8080), None)
    );
    assert_eq!((cluster.status_page.path.as_str(), cluster.status_page.clients), ("/stat", false));
    assert_eq!((cluster.status_api.path.as_str(), cluster.limits.connections), ("/stat.json", 10_000));
    assert_eq!((cluster.access.play.anyone, cluster.access.operate.is_none()), (true, true));
    assert!(resolved.play_grant(stream).anyone);
    assert_eq!(resolved.streams_of("door").count(), 1);
}

#[test]
fn templates_and_sets_become_what_would_have_been_copied_and_pasted() {
    let templates = json!({
        "grab": {"command": ["grab", "/dev/{device}", "{{x}}", "%{pts}", "{output}"]},
        "h264": {"command": ["ffmpeg", "-i", "{input}", "-b:v", "{rate}", "{output}"], "args": {"rate": "1M"}},
        "hd": {"template": {"name": "h264", "args": {"rate": "{n}M"}}, "args": {"n": 4}},
    });
    let resolved = resolved(&[
        document("Cluster", "default", &json!({"templates": templates})),
        document(
            "Feed",
            "cam",
            &json!({"each": ["front", "back"], "source": {"template": {"name": "grab", "args": {"device": "{each}-0"}}}}),
        ),
        document(
            "Stream",
            "hd",
            &json!({"eachOf": "cam", "path": "/cams/{each}/hd.ts", "feeds": ["cam-{each}"], "template": {"name": "hd", "args": {"n": 5}}}),
        ),
        document(
            "Stream",
            "sd",
            &json!({"each": ["front"], "path": "/cams/{each}/sd.ts", "feeds": ["cam-{each}"], "template": {"name": "h264"}}),
        ),
        document(
            "Stream",
            "both",
            &json!({"path": "/both.ts", "feeds": ["cam-front", "cam-back"], "command": ["mux", "{feed:cam-back}", "{feed:cam-front}", "{output}"]}),
        ),
    ]);
    assert_eq!(resolved.feeds.keys().collect::<Vec<_>>(), ["cam-back", "cam-front"]);
    assert_eq!(
        argv(&resolved.feeds["cam-front"].source),
        ["grab", "/dev/front-0", "{x}", "%{pts}", "pipe:1"]
    );
    let hd = &resolved.streams["hd-back"];
    assert_eq!((hd.path.as_str(), hd.feeds[0].as_str()), ("/cams/back/hd.ts", "cam-back"));
    assert_eq!(hd.command.as_ref().unwrap(), &["ffmpeg", "-i", "pipe:0", "-b:v", "5M", "pipe:1"]);
    assert_eq!(resolved.streams["sd-front"].command.as_ref().unwrap()[4], "1M");
    let both = &resolved.streams["both"];
    assert_eq!(both.command.as_ref().unwrap(), &["mux", "pipe:4", "pipe:3", "pipe:1"]);
    assert_eq!((both.input_descriptor(0), both.input_descriptor(1)), (3, 4));
}

#[test]
fn what_was_filled_in_is_never_looked_at_again() {
    let resolved = resolved(&[
        document(
            "Cluster",
            "default",
            &json!({"templates": {"t": {"command": ["x", "{a}{b}", "{output}"]}}}),
        ),
        document(
            "Feed",
            "f",
            &json!({"source": {"template": {"name": "t", "args": {"a": "{b}{output}", "b": "{{%{"}}}}),
        ),
    ]);
    assert_eq!(argv(&resolved.feeds["f"].source), ["x", "{b}{output}{{%{", "pipe:1"]);
    assert_eq!(load("again.yaml", &to_yaml(&resolved)).unwrap(), resolved);
}

#[test]
fn secrets_are_given_out_and_not_shown() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "kubernetes.io/basic-auth",
        "stringData": {"username": "ann"}, "data": {"password": "aHVudGVyMg==", "raw": "//8="}});
    let env = json!([{"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}}, {"name": "Q", "value": "1"}, {"name": "R"}]);
    let resolved = resolved(&[
        secret.to_string(),
        document("Cluster", "default", &json!({"access": {"play": {"basic": {"secretRef": {"name": "s"}}}}})),
        document("Feed", "f", &json!({"source": {"command": ["x"]}, "env": env})),
    ]);
    let basic = resolved.cluster.access.play.basic.as_ref().unwrap();
    assert_eq!(resolved.basic(basic), Some(("ann", "hunter2")));
    let variables = resolved.environment(&resolved.feeds["f"].env);
    assert_eq!(
        variables,
        [("P", "hunter2"), ("Q", "1"), ("R", "")].map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let shown = format!("{resolved:?}{}", serde_json::to_string(&resolved).unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    assert_eq!(load("again.yaml", &to_yaml(&resolved)).unwrap(), resolved);
}

#[test]
fn the_operator_uses_the_same_functions_without_a_file() {
    let spec: FeedSpec = serde_json::from_value(
        json!({"each": ["a", "b"], "source": {"command": ["x", "{{each}}", "-{each}-"]}}),
    )
    .unwrap();
    let member = member_spec(&spec, "a").unwrap();
    assert_eq!(
        (member.each, member.source.command.unwrap()),
        (None, ["x", "{{each}}", "-a-"].map(str::to_owned).to_vec())
    );
    let objects = Objects { feeds: vec![("f".to_owned(), spec)], ..Objects::default() };
    let resolution = resolve(&objects).unwrap();
    assert_eq!(argv(&resolution.resolved.feeds["f-b"].source), ["x", "{each}", "-b-"]);
}

#[test]
fn what_was_asked_to_restart_passes_through_the_final_form_and_from_a_set_to_its_members() {
    let asked = |kind: &str, name: &str, text: &str, spec: &Value| {
        let annotations = json!({"millrace.dev/restart": text, "example.org/other": "x"});
        let metadata = json!({"name": name, "annotations": annotations});
        json!({"apiVersion": "millrace.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
            .to_string()
    };
    let command = json!({"source": {"command": ["x"]}});
    let long = "\u{e9}".repeat(40);
    for text in ["", "1763746207", "no", "2026-11-21T17:30:07+00:00", "# \u{0}\r\n: ' \"", long.as_str()] {
        let resolved = resolved(&[
            asked("Feed", "a", text, &command),
            document("Feed", "b", &command),
            asked("Feed", "set", text, &json!({"source": {"command": ["x"]}, "each": ["c", "d"]})),
            asked("Stream", "a", text, &json!({"path": "/a.ts", "feeds": ["a"]})),
            document("Stream", "b", &json!({"path": "/b.ts", "feeds": ["b"]})),
        ]);
        let counts = if text == long { &text[..64] } else { text };
        for name in ["a", "set-c", "set-d"] {
            assert_eq!(resolved.feeds[name].restart.as_deref(), Some(counts));
        }
        assert_eq!(resolved.streams["a"].restart.as_deref(), Some(counts));
        assert_eq!((&resolved.feeds["b"].restart, &resolved.streams["b"].restart), (&None, &None));
        assert_eq!(load("again.yaml", &to_yaml(&resolved)).unwrap(), resolved);
    }
}

fn argument() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{output}".to_owned()),
        Just("{{".to_owned()),
        Just("}}".to_owned()),
        Just("%{pts\\:hms}".to_owned()),
        Just("no".to_owned()),
        Just("010".to_owned()),
        Just("-".to_owned()),
        Just(String::new()),
        "[a-z%:=' #,\\\\\"\\n\\[\\]&*!|>?@`ü-]{0,12}",
        "\\PC{0,8}",
    ]
}

fn escaped(text: &str) -> String {
    if text == "{output}" || text.starts_with("%{") {
        text.to_owned()
    } else {
        text.replace('{', "{{").replace('}', "}}")
    }
}

fn feed() -> impl Strategy<Value = Value> {
    let command = proptest::collection::vec(argument(), 0..6).prop_map(|rest| {
        let argv: Vec<String> =
            std::iter::once("x".to_owned()).chain(rest.iter().map(|it| escaped(it))).collect();
        json!({"command": argv})
    });
    let source = prop_oneof![
        command,
        Just(json!({"template": {"name": "t", "args": {"a": "{}%{"}}})),
        Just(json!({"file": {"path": "/a b", "loop": true}})),
        Just(json!({"pull": {"url": "srt://a:1?x=y"}})),
        Just(json!({"publish": {"path": "/live", "protocols": ["Whip", "Http"]}})),
    ];
    let activation = prop_oneof![
        Just(json!("OnDemand")),
        Just(json!("Continuous")),
        (1..604_800).prop_map(|it| json!(it))
    ];
    (source, activation, any::<bool>(), 0_u32..200_000, proptest::option::of(0_u64..1 << 40)).prop_map(
        |(source, activation, resurrect, silence, memory)| {
            let resources =
                memory.map_or(json!(null), |memory| json!({"memoryPerProcess": memory.min(999_999_999_999)}));
            json!({"source": source, "activation": activation, "resurrect": resurrect, "resources": resources,
                "silence": format!("{}s{}ms", silence / 1000, silence % 1000)})
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_final_form_is_final(
        feed in feed(),
        pieces in proptest::option::of(Just(json!(["p", "q"]))),
        frames in proptest::option::of(0_u32..1000),
        flush in prop_oneof![Just("Now".to_owned()), (0_u32..9999).prop_map(|it| format!("{it}ms"))],
        through in proptest::option::of(proptest::collection::vec(argument(), 0..5)),
    ) {
        // Two places to publish to at one path would be a mistake.
        let pieces = pieces.filter(|_| feed["source"].get("publish").is_none());
        let (mut feed, mut stream) = (feed, json!({"flush": flush}));
        let each = if pieces.is_some() { "-{each}" } else { "" };
        stream["path"] = json!(format!("/s{each}"));
        stream["feeds"] = json!([format!("f{each}")]);
        if let Some(pieces) = pieces {
            feed["each"] = pieces;
            stream["eachOf"] = json!("f");
        }
        if let Some(frames) = frames { stream["gopCache"] = json!({"frames": frames}); }
        if let Some(argv) = through {
            stream["command"] = std::iter::once("y".to_owned()).chain(argv.iter().map(|it| escaped(it))).collect();
        }
        let templates = json!({"templates": {"t": {"command": ["z", "{a}", "{output}"]}}});
        let text = [document("Cluster", "c", &templates), document("Feed", "f", &with_cluster(&feed)), document("Stream", "s", &with_cluster(&stream))].join("\n---\n");
        let resolved = match load("f.json", &text) {
            Ok(resolved) => resolved,
            Err(errors) => {
                // A text that holds a NUL is the only thing here that may be refused.
                prop_assert!(text.contains("\\u0000"), "{errors:?} {text}");
                return Ok(());
            }
        };
        let printed = to_yaml(&resolved);
        prop_assert!(!printed.contains("template") && !printed.contains("each:") && !printed.contains("args"), "{}", printed);
        let again = load("printed.yaml", &printed);
        prop_assert_eq!(again.as_ref(), Ok(&resolved), "{}", printed);
        prop_assert_eq!(to_yaml(&again.unwrap()), printed);
    }
}

fn with_cluster(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["clusterRef"] = json!({"name": "c"});
    spec
}

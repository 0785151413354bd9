//! Whatever the file holds: no panic, bounded memory, an answer in time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::format_push_string,
    reason = "tests say what is wrong by failing"
)]

use std::time::{Duration, Instant};

use millrace_crds::{MAX_BYTES, MAX_DEPTH, check, load, to_yaml};
use proptest::prelude::*;

fn first_error(text: &str) -> String {
    check("f.yaml", text).errors.first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_file_that_is_too_long_is_refused_unread() {
    let text = "#".repeat(MAX_BYTES + 1);
    assert_eq!(first_error(&text), "f.yaml:1: the file is 16777217 bytes long (at most 16 MiB)");
}

#[test]
fn a_document_that_is_too_deep_is_refused() {
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        let deep = format!("a: {}1{}\n", open.repeat(MAX_DEPTH + 1), close.repeat(MAX_DEPTH + 1));
        assert!(first_error(&deep).starts_with("f.yaml:1: "), "{}", first_error(&deep));
        assert!(first_error(&(open.repeat(1 << 20))).starts_with("f.yaml:1: "));
    }
    let mut block = String::new();
    for depth in 0..1000 {
        block += &format!("{}a:\n", " ".repeat(depth));
    }
    assert!(!first_error(&block).is_empty());
}

#[test]
fn aliases_that_multiply_are_refused_soon() {
    let mut bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for (name, before) in ('b'..='k').zip('a'..) {
        let aliases = vec![format!("*{before}"); 10].join(", ");
        bomb += &format!("{name}: &{name} [{aliases}]\n");
    }
    let begin = Instant::now();
    assert!(first_error(&bomb).contains("more than 500000 values"), "{}", first_error(&bomb));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert!(first_error("a: &a [*a]\n").contains("an alias stands inside of what it repeats"));
    assert!(first_error("a: *b\n").contains("not YAML"));
}

#[test]
fn a_thousand_streams_are_read_quickly_and_a_thousand_errors_are_enough() {
    let head = "apiVersion: millrace.dev/v1alpha1\n";
    let mut text = format!("{head}kind: Feed\nmetadata: {{name: a}}\nspec: {{source: {{command: [x]}}}}\n");
    for stream in 0..1000 {
        text += &format!(
            "---\n{head}kind: Stream\nmetadata: {{name: s{stream}}}\nspec: {{path: /s{stream}, feeds: [a], command: [x, \"{{input}}\"]}}\n"
        );
    }
    let begin = Instant::now();
    assert_eq!(load("f.yaml", &text).unwrap().streams.len(), 1000);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    let wrong = text.replace("path", "paht");
    let errors = check("f.yaml", &wrong).errors.len();
    assert!((1000..=2100).contains(&errors), "{errors}");
    let most = format!(
        "{head}kind: Feed\nmetadata: {{name: a}}\nspec: {{source: {{command: [{}]}}}}\n",
        vec!["1"; 200_000].join(", ")
    );
    assert!(check("f.yaml", &most).errors.len() < 300_000);
}

const SAMPLES: [&str; 6] = [
    include_str!("../../examples/quickstart.yaml"),
    include_str!("../../examples/templates.yaml"),
    include_str!("../../examples/sets.yaml"),
    include_str!("../../examples/auth-tls.yaml"),
    include_str!("../../examples/cluster.yaml"),
    include_str!("../../examples/fallback.yaml"),
];

/// Text that means something to YAML, to us, or to nobody.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("---\n"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(": "),
        Just("- "),
        Just("&a "),
        Just("*a"),
        Just("<<: *a\n"),
        Just("!!str "),
        Just("\"x"),
        Just("'"),
        Just("|\n"),
        Just(">-\n"),
        Just("\t"),
        Just("#"),
        Just("{each}"),
        Just("{input}"),
        Just("%{x}"),
        Just("{{"),
        Just("}}"),
        Just("each: [a, b]\n"),
        Just("null"),
        Just("010"),
        Just("yes"),
        Just("\u{0}"),
        Just("\u{feff}"),
        Just("ü"),
        Just("1e999"),
        Just(".inf"),
        Just("%YAML 1.1\n"),
        Just("? "),
        Just("command: [x]\n"),
        Just("\r\n"),
    ]
    .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_mutation_of_a_real_file_makes_the_reader_panic(
        sample in 0..SAMPLES.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..40, token()), 1..6),
    ) {
        let mut text: Vec<char> = SAMPLES[sample].chars().collect();
        for (at, remove, insert) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + remove).min(text.len());
            text.splice(at..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        let checked = check("f.yaml", &text);
        prop_assert!(checked.resolved.is_some() == checked.errors.is_empty());
        for error in &checked.errors {
            prop_assert!(error.line >= 1 && error.column >= 1 && error.line <= text.lines().count() + 1, "{}", error);
        }
        if let Some(resolved) = checked.resolved {
            prop_assert_eq!(load("again.yaml", &to_yaml(&resolved)), Ok(resolved));
        }
    }

    #[test]
    fn no_text_at_all_makes_the_reader_panic(text in "\\PC{0,200}|([a: \\n\\-\\[\\]{}&*!|>'\"%@`#?,]{0,60})", ends in 0_usize..4000) {
        check("f.yaml", &text);
        check("f.yaml", SAMPLES[0].get(..ends).unwrap_or_default());
    }
}

#[test]
fn a_file_made_to_cost_time_is_answered_in_time() {
    let head = "apiVersion: millrace.dev/v1alpha1\n";
    let keys: String = (0..400_000).fold(String::new(), |text, key| text + &format!("k{key}: 1\n"));
    let mut chain = String::new();
    let mut lost = String::new();
    for feed in 0..10_000 {
        chain += &format!(
            "---\n{head}kind: Feed\nmetadata: {{name: f{feed}}}\nspec: {{source: {{file: {{path: /a}}}}, fallback: [f{}]}}\n",
            (feed + 1) % 10_000
        );
        lost += &format!(
            "---\n{head}kind: Stream\nmetadata: {{name: s{feed}}}\nspec: {{path: /s, feeds: [g{feed}], clusterRef: {{name: none}}}}\n"
        );
    }
    let begin = Instant::now();
    assert_eq!(first_error(&keys), "f.yaml:1025: a mapping has more than 1024 keys");
    assert!(first_error(&chain).contains("the fallbacks go round: f0 -> f1 -> "), "{}", first_error(&chain));
    assert!(check("f.yaml", &lost).errors.len() <= 1000);
    assert!(begin.elapsed() < Duration::from_mins(1), "{:?}", begin.elapsed());
}

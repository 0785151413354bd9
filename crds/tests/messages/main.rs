//! What people are told: every rule with its exact message, with line and field.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests say what is wrong by failing, and their tables are long"
)]

mod between;
mod cluster;
mod documents;
mod feed;
mod stream;

use millrace_crds::{Diagnostic, check};

/// A file of a Cluster, two Feeds and what is under test.
fn file(documents: &str) -> String {
    let head = "apiVersion: millrace.dev/v1alpha1\n";
    documents.split("---\n").map(|document| format!("{head}{document}")).collect::<Vec<_>>().join("---\n")
}

/// All errors of a file, as they are shown.
fn errors(text: &str) -> Vec<String> {
    check("f.yaml", text).errors.iter().map(Diagnostic::to_string).collect()
}

/// The errors of one Stream beside the Feeds `a` and `b`. Its `spec` begins in line 4.
fn stream_errors(spec: &str) -> Vec<String> {
    errors(&file(&format!(
        "kind: Stream\nmetadata: {{name: s}}\nspec:\n{spec}\n---\nkind: Feed\nmetadata: {{name: a}}\nspec: {{source: {{command: [x]}}}}\n---\nkind: Feed\nmetadata: {{name: b}}\nspec: {{source: {{command: [x]}}}}\n"
    )))
}

/// The errors of one Feed that a Stream uses. Its `spec` begins in line 4.
fn feed_errors(spec: &str) -> Vec<String> {
    errors(&file(&format!(
        "kind: Feed\nmetadata: {{name: a}}\nspec:\n{spec}\n---\nkind: Stream\nmetadata: {{name: s}}\nspec: {{path: /s, feeds: [a]}}\n"
    )))
}

/// The errors of a Cluster. Its `spec` begins in line 4.
fn cluster_errors(spec: &str) -> Vec<String> {
    errors(&file(&format!("kind: Cluster\nmetadata: {{name: default}}\nspec:\n{spec}\n")))
}

fn table(errors: fn(&str) -> Vec<String>, cases: &[(&str, &[&str])]) {
    for (spec, wanted) in cases {
        assert_eq!(errors(spec), *wanted, "{spec}");
    }
}

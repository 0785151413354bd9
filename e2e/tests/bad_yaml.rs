//! Configurations that are wrong: what is said about them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends by it")]

use std::fs;

use millrace_e2e::{Said, binary, run};

const HEAD: &str = "apiVersion: millrace.dev/v1alpha1\n";

/// What `check` and `run` say of `yaml`; the same, and both refuse it.
fn refused(yaml: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.yaml").display().to_string();
    fs::write(&file, yaml).unwrap();
    let check = run(binary(), &["check", "-f", &file], 20);
    let run = run(binary(), &["run", "--http", "127.0.0.1:0", "-f", &file], 20);
    let codes = |said: &Said| said.code;
    assert_eq!((codes(&check), codes(&run)), (Some(1), Some(1)), "{}", check.err);
    let lines: Vec<String> = check.err.lines().map(str::to_owned).collect();
    for line in &lines {
        assert!(run.err.contains(line.as_str()), "`run` does not say: {line}\n{}", run.err);
    }
    (file, lines)
}

fn only(lines: &[String]) -> &str {
    assert_eq!(lines.len(), 1, "{lines:#?}");
    &lines[0]
}

#[test]
fn an_unknown_field_is_named_with_those_that_are_known() {
    let yaml = format!(
        "{HEAD}kind: Feed\nmetadata: {{name: a}}\nspec:\n  source: {{file: {{path: /a.ts}}}}\n  activashun: Continuous\n"
    );
    let (file, lines) = refused(&yaml);
    let line = only(&lines);
    assert!(line.starts_with(&format!("{file}:6: Feed/a spec.activashun")), "{line}");
    assert!(line.contains("activation"), "{line}");
}

#[test]
fn two_streams_on_one_path_are_both_named() {
    let feed =
        format!("{HEAD}kind: Feed\nmetadata: {{name: a}}\nspec: {{source: {{file: {{path: /a.ts}}}}}}\n");
    let one = format!("{HEAD}kind: Stream\nmetadata: {{name: one}}\nspec:\n  path: /x.ts\n  feeds: [a]\n");
    let two = one.replace("one", "two");
    let (file, lines) = refused(&format!("{feed}---\n{one}---\n{two}"));
    let line = only(&lines);
    assert!(line.starts_with(&format!("{file}:17: Stream/two spec.path")), "{line}");
    assert!(line.contains("/x.ts") && line.contains("Stream/one"), "{line}");
}

#[test]
fn a_template_that_names_itself_is_no_way_to_make_one() {
    let cluster =
        format!("{HEAD}kind: Cluster\nmetadata: {{name: default}}\nspec:\n  templates:\n    again:\n");
    let feed = format!(
        "---\n{HEAD}kind: Feed\nmetadata: {{name: a}}\nspec: {{source: {{file: {{path: /a.ts}}}}}}\n"
    );
    let stream = format!(
        "---\n{HEAD}kind: Stream\nmetadata: {{name: s}}\nspec: {{path: /s, feeds: [a], template: {{name: again}}}}\n"
    );
    // As a field, and as a placeholder.
    let (file, lines) = refused(&format!("{cluster}      template: {{name: again}}\n{feed}{stream}"));
    let at = format!("{file}:7: Cluster/default spec.templates.again");
    assert!(lines.iter().any(|line| line.starts_with(&at)), "{lines:#?}");
    let command = "      command: [ffmpeg, \"{input}\", \"{again}\", \"{output}\"]\n";
    let (_, lines) = refused(&format!("{cluster}{command}{feed}{stream}"));
    let line = only(&lines);
    assert!(line.contains("{again}") && line.contains("template again") && line.contains("args"), "{line}");
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_in_order() {
    let feed = format!(
        "{HEAD}kind: Feed\nmetadata: {{name: a}}\nspec:\n  source: {{command: []}}\n  silence: 7 days\n"
    );
    let stream =
        format!("---\n{HEAD}kind: Stream\nmetadata: {{name: s}}\nspec:\n  path: no-slash\n  feeds: [a]\n");
    let other = format!("---\n{HEAD}kind: Stream\nmetadata: {{name: t}}\nspec:\n  path: /t\n  feeds: [b]\n");
    let (file, lines) = refused(&(feed + &stream + &other));
    assert!(lines.len() >= 4, "{lines:#?}");
    let numbers: Vec<u32> = lines
        .iter()
        .map(|line| {
            line.strip_prefix(&format!("{file}:")).unwrap().split(':').next().unwrap().parse().unwrap()
        })
        .collect();
    assert!(numbers.is_sorted(), "{lines:#?}");
    for what in ["spec.source.command", "spec.silence", "spec.path", "spec.feeds"] {
        assert!(lines.iter().any(|line| line.contains(what)), "{what}: {lines:#?}");
    }
}

#[test]
fn what_is_no_yaml_and_what_is_no_file_is_said_so() {
    let (file, lines) = refused("apiVersion: [unclosed\n");
    assert!(lines[0].starts_with(&file), "{lines:#?}");
    let missing = run(binary(), &["check", "-f", "/nowhere/at/all.yaml"], 20);
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("/nowhere/at/all.yaml: No such file"), "{}", missing.err);
    let folder = run(binary(), &["check", "-f", "/tmp"], 20);
    assert_eq!(folder.code, Some(1));
    assert!(folder.err.contains("/tmp") && folder.err.to_lowercase().contains("directory"), "{}", folder.err);
}

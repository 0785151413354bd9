//! `docs/conformance.md` names tests that exist, and leaves no row without an answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{collections::BTreeSet, fs, path::Path};

struct Row {
    line: usize,
    text: String,
    answer: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn rows() -> Vec<Row> {
    let document = fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let cells = |line: &str| {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    let table = document
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("| ") && !line.starts_with("| row "));
    table
        .map(|(number, line)| {
            let cells = cells(line);
            assert_eq!(cells.len(), 3, "docs/conformance.md:{}: three cells: row, where, test", number + 1);
            Row { line: number + 1, text: cells[0].clone(), answer: cells[2].clone() }
        })
        .collect()
}

#[test]
fn every_test_that_the_conformance_table_names_exists() {
    let mut wrong = Vec::new();
    for row in rows() {
        if row.answer.starts_with("not yet") || row.answer.starts_with("n/a:") {
            continue;
        }
        for name in row.answer.split("<br>") {
            let Some((file, test)) = name.trim().trim_matches('`').split_once("::") else {
                wrong.push(format!("{}: {name:?} is not `FILE::TEST`", row.line));
                continue;
            };
            let source = fs::read_to_string(root().join(file)).unwrap_or_default();
            if !source.contains(&format!("fn {test}(")) {
                wrong.push(format!("{}: there is no test {test} in {file} ({})", row.line, row.text));
            }
        }
    }
    assert!(wrong.is_empty(), "docs/conformance.md:\n{}", wrong.join("\n"));
}

#[test]
fn no_row_stands_twice() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(
            seen.insert(row.text.clone()),
            "docs/conformance.md:{}: {:?} stands there before",
            row.line,
            row.text
        );
    }
}

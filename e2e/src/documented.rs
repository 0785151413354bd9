//! Metrics as the documentation lists them.

use std::fs;

use crate::repository;

/// The names of all metrics in those rows of docs/operating.md that begin with `prefix`; one that is written as `_rest` there is
/// `PREFIX_rest`.
///
/// # Panics
/// If there is no such row.
pub fn documented_metrics(prefix: &str) -> Vec<String> {
    let docs = fs::read_to_string(repository("docs/operating.md")).unwrap_or_default();
    let mut names = Vec::new();
    for row in docs.lines().filter(|line| line.starts_with(&format!("| `{prefix}"))) {
        let first = row.split('|').nth(1).unwrap_or_default();
        for name in first.split('`').filter(|part| part.starts_with("millrace_") || part.starts_with('_')) {
            let name = name.split('{').next().unwrap_or_default();
            let whole = if name.starts_with('_') { format!("{prefix}{name}") } else { name.to_owned() };
            names.push(whole);
        }
    }
    assert!(!names.is_empty(), "no metric of {prefix} is documented");
    names
}

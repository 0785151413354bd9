//! A table of any columns.

use std::fmt::Write;

/// Rows of cells, the first of each saying what it is.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// With these headings.
    pub fn new(headings: impl IntoIterator<Item = String>) -> Self {
        Self { rows: vec![headings.into_iter().collect()], notes: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, what: impl Into<String>, cells: impl IntoIterator<Item = String>) {
        self.rows.push(std::iter::once(what.into()).chain(cells).collect());
    }

    /// Adds a sentence to be printed below.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        eprintln!("note: {text}");
        self.notes.push(text);
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for (i, row) in self.rows.iter().enumerate() {
            let _ = writeln!(out, "| {} |", row.join(" | "));
            if i == 0 {
                let _ = writeln!(out, "|---|{}", "--:|".repeat(row.len().saturating_sub(1)));
            }
        }
        for note in &self.notes {
            let _ = write!(out, "\nNote: {note}\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_with_its_notes_below() {
        let mut table = Table::new(["", "ms"].map(str::to_owned));
        table.row("p50", ["3".to_owned()]);
        table.note("busy");
        assert_eq!(table.markdown(), "|  | ms |\n|---|--:|\n| p50 | 3 |\n\nNote: busy\n");
    }
}

//! What came out: one table, also as Markdown and JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::servers::Kind;

/// Whether a target was met.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// There is no target.
    Stated,
    /// It was met.
    Pass,
    /// By how much it was missed.
    Missed(String),
    /// It could not be measured.
    Unmeasured(String),
}

impl Verdict {
    /// Compares a measured value with the most it may be.
    pub fn at_most(measured: f64, limit: f64) -> Self {
        if !measured.is_finite() {
            return Self::Unmeasured("nothing came".to_owned());
        }
        if measured <= limit {
            return Self::Pass;
        }
        Self::Missed(format!("{:.0} %", (measured / limit - 1.0) * 100.0))
    }

    /// In a word or two; nothing where there is no target.
    pub fn text(&self) -> String {
        match self {
            Self::Stated => String::new(),
            Self::Pass => "pass".to_owned(),
            Self::Missed(by) => format!("MISSED by {by}"),
            Self::Unmeasured(why) => format!("not measured: {why}"),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured, with its unit.
    pub what: String,
    /// By whom.
    pub cells: BTreeMap<Kind, String>,
    /// What the media pod should reach.
    pub target: String,
    /// Whether it did.
    pub verdict: Verdict,
}

impl Row {
    /// A line without target.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), cells: BTreeMap::new(), target: String::new(), verdict: Verdict::Stated }
    }

    /// Adds what one server reached.
    pub fn cell(&mut self, kind: Kind, text: impl Into<String>) {
        self.cells.insert(kind, text.into());
    }

    /// Sets the target and whether it was met.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>, verdict: Verdict) -> Self {
        self.target = target.into();
        self.verdict = verdict;
        self
    }
}

/// All that was measured in a run.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    raw: Vec<Value>,
    notes: Vec<String>,
}

const HEADINGS: [&str; 7] = ["", "media pod", "floor", "hyper", "icecast2", "target", ""];

impl Report {
    /// Adds a line.
    pub fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Keeps the numbers behind the lines.
    pub fn raw(&mut self, value: Value) {
        self.raw.push(value);
    }

    /// Says something that has no number.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        eprintln!("note: {text}");
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Whether it has no line.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn lines(&self) -> Vec<[String; 7]> {
        let line = |r: &Row| {
            let cell = |k| r.cells.get(&k).cloned().unwrap_or_default();
            let [a, b, c, d] = Kind::ALL.map(cell);
            [r.what.clone(), a, b, c, d, r.target.clone(), r.verdict.text()]
        };
        std::iter::once(HEADINGS.map(str::to_owned)).chain(self.rows.iter().map(line)).collect()
    }

    /// The table for a terminal.
    pub fn text(&self) -> String {
        let lines = self.lines();
        let mut widths = [0; 7];
        for line in &lines {
            for (w, cell) in widths.iter_mut().zip(line) {
                *w = (*w).max(cell.chars().count());
            }
        }
        let mut out = String::new();
        for line in &lines {
            for (i, (w, cell)) in widths.iter().zip(line).enumerate() {
                let gap = if i == 0 { "" } else { "  " };
                let _ = if (1..5).contains(&i) {
                    write!(out, "{gap}{cell:>w$}")
                } else {
                    write!(out, "{gap}{cell:<w$}")
                };
            }
            out.truncate(out.trim_end().len());
            out.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(out, "Note: {note}");
        }
        out
    }

    /// The table for a document, with when and where.
    pub fn markdown(&self, about: &str) -> String {
        let mut out = format!("{about}\n\n");
        for (i, line) in self.lines().iter().enumerate() {
            let _ = writeln!(out, "| {} |", line.join(" | "));
            if i == 0 {
                out.push_str("|---|--:|--:|--:|--:|---|---|\n");
            }
        }
        for note in &self.notes {
            let _ = write!(out, "\nNote: {note}\n");
        }
        out
    }

    /// Table and single runs as JSON.
    pub fn json(&self, about: &str) -> Value {
        let row = |r: &Row| {
            let cells: BTreeMap<_, _> = r.cells.iter().map(|(k, v)| (k.name(), v)).collect();
            json!({"what": r.what, "measured": cells, "target": r.target, "verdict": r.verdict.text()})
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        json!({"about": about, "rows": rows, "notes": self.notes, "runs": self.raw})
    }

    /// How many targets were missed.
    pub fn missed(&self) -> usize {
        self.rows.iter().filter(|r| matches!(r.verdict, Verdict::Missed(_))).count()
    }
}

/// A document with what stands between its markers of that name replaced; without markers, the table is the document.
pub fn splice(document: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"));
    let around =
        document.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match around {
        Some((before, after)) => format!("{before}{begin}\n{}\n{end}{after}", table.trim_end()),
        None => table.to_owned(),
    }
}

/// The middle of some numbers; not a number of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut v: Vec<f64> = values.into_iter().filter(|x| x.is_finite()).collect();
    v.sort_by(f64::total_cmp);
    let at = |i: usize| v.get(i).copied().unwrap_or(f64::NAN);
    if v.len() % 2 == 1 {
        at(v.len() / 2)
    } else {
        f64::midpoint(at((v.len() / 2).wrapping_sub(1)), at(v.len() / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_by_how_much_a_target_was_missed() {
        let mut report = Report::default();
        let mut row = Row::new("cost").target("at most 1.00", Verdict::at_most(1.5, 1.0));
        row.cell(Kind::Pod, "1.50");
        report.row(row);
        assert!(report.text().contains("MISSED by 50 %"));
        assert!(report.markdown("now").contains("| cost | 1.50 |  |  |  | at most 1.00 | MISSED by 50 % |"));
        assert_eq!(report.missed(), 1);
    }

    #[test]
    fn only_what_is_between_the_markers_of_a_document_is_replaced() {
        let document = "# A\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nrest\n";
        assert_eq!(
            splice(document, "bench", "new\n"),
            "# A\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nrest\n"
        );
        assert_eq!(splice("no markers", "bench", "new"), "new");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median([]).is_nan());
    }
}

//! What is wrong with a file, said so that it can be put right.

use std::fmt;

/// One thing that is wrong, or doubtful, in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file's name, as it was given.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
    /// The object: `Feed/door`.
    pub object: Option<String>,
    /// The field: `spec.source.command[3]`.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    /// `FILE:LINE: Feed/door spec.source: what is wrong (what would be right)`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: ", self.file, self.line)?;
        match (&self.object, &self.field) {
            (Some(object), Some(field)) => write!(out, "{object} {field}: ")?,
            (Some(one), None) | (None, Some(one)) => write!(out, "{one}: ")?,
            (None, None) => {}
        }
        out.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(out, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

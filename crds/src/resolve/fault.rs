use std::fmt;

use crate::yaml::path::FieldPath;

/// Something wrong, or doubtful, with an object; its place in a file is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The object's kind.
    pub kind: &'static str,
    /// The object's name.
    pub name: String,
    /// The field.
    pub field: FieldPath,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{} {}: {}", self.kind, self.name, self.field, self.message)?;
        match &self.help {
            Some(help) => write!(out, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// The most that is said of all objects together.
pub(crate) const MAX_FAULTS: usize = 1000;

/// Gathers what is wrong with one object.
pub(crate) struct Faults<'a> {
    pub(crate) kind: &'static str,
    pub(crate) name: &'a str,
    pub(crate) into: &'a mut Vec<Fault>,
}

impl Faults<'_> {
    /// Whether more would not be kept, so that looking for it is in vain.
    pub(crate) fn is_full(&self) -> bool {
        self.into.len() >= MAX_FAULTS
    }

    pub(crate) fn add(&mut self, field: FieldPath, message: impl Into<String>, help: impl Into<String>) {
        if self.into.len() >= MAX_FAULTS {
            return;
        }
        let (message, help) = (message.into(), help.into());
        let help = (!help.is_empty()).then_some(help);
        self.into.push(Fault { kind: self.kind, name: self.name.to_owned(), field, message, help });
    }
}
